// Reads the grammar of PTX: directives, declarations, statements with their operands.
#include "tests/card/ptx_text.h"

#include <cstring>
#include <map>

#include "tests/card/ptx_tokens.h"

namespace tailseg::card {
namespace {

bool is_space(std::string_view word) {
  return word == ".reg" || word == ".param" || word == ".local" || word == ".shared" || word == ".global" ||
         word == ".const";
}

class Reader {
 public:
  explicit Reader(std::string_view text) : tokens_(text) {}

  ModuleText module() {
    ModuleText result;
    while (tokens_.peek().kind != Token::Kind::end) module_item(result);
    return result;
  }

 private:
  void module_item(ModuleText& result) {
    if (tokens_.take_if(".version")) {
      tokens_.take();
    } else if (tokens_.take_if(".address_size")) {
      if (tokens_.integer() != 64) tokens_.refuse_here("only 64-bit addresses are known");
    } else if (tokens_.take_if(".target")) {
      do tokens_.take();
      while (tokens_.take_if(","));
    } else {
      bool is_external = false;
      for (;; tokens_.take()) {
        if (tokens_.peek().is(".extern"))
          is_external = true;
        else if (!tokens_.peek().is(".visible") && !tokens_.peek().is(".weak") && !tokens_.peek().is(".common"))
          break;
      }
      if (tokens_.peek().is(".entry") || tokens_.peek().is(".func")) {
        function(result);
      } else {
        declarations([&](Declaration d) {
          d.is_external = is_external;
          result.variables.push_back(std::move(d));
        });
      }
    }
  }

  void function(ModuleText& result) {
    FunctionText f;
    f.line = tokens_.peek().line;
    f.is_entry = tokens_.take().is(".entry");
    if (tokens_.peek().is("(")) f.results = parameters();
    f.name = tokens_.take().text;
    if (tokens_.peek().is("(")) f.parameters = parameters();
    while (!tokens_.peek().is("{") && !tokens_.peek().is(";")) function_limit(f);
    if (tokens_.take_if(";")) return;  // only announced
    tokens_.expect("{");
    for (int depth = 1; depth > 0;) {
      f.body.push_back(statement());
      if (f.body.back().kind == Statement::Kind::open) ++depth;
      if (f.body.back().kind == Statement::Kind::close) --depth;
    }
    f.body.pop_back();
    result.functions.push_back(std::move(f));
  }

  void function_limit(FunctionText& f) {
    const Token limit = tokens_.take();
    if (limit.is(".noreturn")) return;
    if (!limit.is(".maxntid") && !limit.is(".reqntid") && !limit.is(".minnctapersm") && !limit.is(".maxnreg")) {
      refuse(tokens_.text(), limit.line, quoted(limit.text) + " is not known");
    }
    int product = 1;
    do product *= static_cast<int>(tokens_.integer());
    while (tokens_.take_if(","));
    if (limit.is(".maxntid") || limit.is(".reqntid")) f.max_threads = product;
  }

  std::vector<Declaration> parameters() {
    std::vector<Declaration> result;
    tokens_.expect("(");
    if (tokens_.take_if(")")) return result;
    do result.push_back(declaration_head(tokens_.take().text));
    while (tokens_.take_if(","));
    tokens_.expect(")");
    return result;
  }

  // ".shared .align 16 .b8 name[48]", from behind the space on.
  Declaration declaration_head(std::string_view space) {
    Declaration d;
    d.space = space;
    if (!is_space(space)) tokens_.refuse_here(quoted(space) + " declares nothing known");
    size_t align = 0;
    for (; tokens_.peek().text.starts_with('.'); tokens_.take()) {
      if (tokens_.take_if(".align")) align = static_cast<size_t>(tokens_.integer());
      if (tokens_.take_if(".ptr")) {
        for (; is_space(tokens_.peek().text) || tokens_.peek().is(".align");) {
          if (tokens_.take().is(".align")) tokens_.integer();
        }
        break;
      }
      d.type = tokens_.peek().text;
      d.bytes = bytes_of_type(d.type);
      if (d.bytes == 0) tokens_.refuse_here("type " + quoted(d.type) + " is not known");
    }
    d.align = align != 0 ? align : d.bytes;
    declarator(d);
    return d;
  }

  void declarator(Declaration& d) {
    d.name = tokens_.take().text;
    d.bytes = bytes_of_type(d.type);
    if (tokens_.take_if("<")) {
      d.count = static_cast<uint32_t>(tokens_.integer());
      tokens_.expect(">");
    }
    while (tokens_.take_if("[")) {
      d.bytes *= tokens_.peek().is("]") ? 0 : static_cast<size_t>(tokens_.integer());
      tokens_.expect("]");
    }
    if (tokens_.take_if("=")) initial_value(d);
  }

  void initial_value(Declaration& d) {
    const size_t size = bytes_of_type(d.type);
    const bool is_list = tokens_.take_if("{");
    do {
      if (tokens_.peek().kind != Token::Kind::number) tokens_.refuse_here("an initial value that is no number");
      const Operand value = literal(tokens_.take().text, tokens_);
      d.initial.resize(d.initial.size() + size);
      std::memcpy(d.initial.data() + d.initial.size() - size, &value.bits, size);
    } while (is_list && tokens_.take_if(","));
    if (is_list) tokens_.expect("}");
    if (d.initial.size() > d.bytes) tokens_.refuse_here("more initial values than fit");
  }

  template <class Take>
  void declarations(Take take) {
    Declaration d = declaration_head(tokens_.take().text);
    take(d);
    while (tokens_.take_if(",")) {
      d.count = 0;
      declarator(d);
      take(d);
    }
    tokens_.expect(";");
  }

  Statement statement() {
    if (!pending_.empty()) {
      Statement next = std::move(pending_.back());
      pending_.pop_back();
      return next;
    }
    Statement s;
    s.line = tokens_.peek().line;
    if (tokens_.take_if("{")) {
      s.kind = Statement::Kind::open;
    } else if (tokens_.take_if("}")) {
      s.kind = Statement::Kind::close;
    } else if (tokens_.take_if(".pragma")) {
      s.kind = Statement::Kind::pragma;
      s.word = tokens_.take().text;
      tokens_.expect(";");
    } else if (is_space(tokens_.peek().text)) {
      s.kind = Statement::Kind::declaration;
      declarations([&](Declaration d) {
        s.declaration = std::move(d);
        pending_.insert(pending_.begin(), s);
      });
      return statement();
    } else {
      instruction(s);
    }
    return s;
  }

  void instruction(Statement& s) {
    if (tokens_.take_if("@")) {
      s.guard_is_negated = tokens_.take_if("!");
      s.guard = tokens_.take().text;
    }
    if (tokens_.peek().kind != Token::Kind::word) tokens_.refuse_here("a statement was expected");
    s.word = tokens_.take().text;
    if (s.guard.empty() && tokens_.take_if(":")) {
      s.kind = Statement::Kind::label;
      return;
    }
    while (!tokens_.take_if(";")) {
      s.operands.push_back(operand());
      if (!tokens_.peek().is(";")) tokens_.expect(",");
    }
  }

  std::vector<Operand> list(std::string_view end) {
    std::vector<Operand> parts;
    while (!tokens_.take_if(end)) {
      parts.push_back(operand());
      if (!tokens_.peek().is(end)) tokens_.expect(",");
    }
    return parts;
  }

  Operand operand() {
    Operand result;
    if (tokens_.take_if("[")) {
      address(result);
    } else if (tokens_.take_if("{")) {
      result.kind = Operand::Kind::vector;
      result.parts = list("}");
    } else if (tokens_.take_if("(")) {
      result.kind = Operand::Kind::list;
      result.parts = list(")");
    } else if (tokens_.peek().kind == Token::Kind::number) {
      result = literal(tokens_.take().text, tokens_);
    } else {
      result.negated = tokens_.take_if("!");
      if (tokens_.peek().kind != Token::Kind::word) tokens_.refuse_here("an operand was expected");
      result.name = tokens_.take().text;
      if (tokens_.take_if("+")) result.offset = tokens_.integer();
      if (tokens_.take_if("|")) {
        Operand first = result;
        result = Operand{};
        result.kind = Operand::Kind::pair;
        result.parts = {std::move(first), operand()};
      }
    }
    return result;
  }

  void address(Operand& result) {
    result.kind = Operand::Kind::address;
    if (tokens_.peek().kind == Token::Kind::number) {
      result.offset = tokens_.integer();
    } else {
      result.name = tokens_.take().text;
      if (tokens_.take_if("+")) result.offset = tokens_.integer();
    }
    tokens_.expect("]");
  }

  Tokens tokens_;
  std::vector<Statement> pending_;  // further declarations of one statement, the last first
};

}  // namespace

ModuleText read_module(std::string_view text) { return Reader(text).module(); }

size_t bytes_of_type(std::string_view type) {
  static const std::map<std::string_view, size_t> bytes = {
      {".b8", 1},  {".u8", 1},  {".s8", 1},  {".b16", 2},  {".u16", 2}, {".s16", 2},
      {".f16", 2}, {".b32", 4}, {".u32", 4}, {".s32", 4},  {".f32", 4}, {".b64", 8},
      {".u64", 8}, {".s64", 8}, {".f64", 8}, {".pred", 1}, {".bf16", 2}};
  const auto found = bytes.find(type);
  return found == bytes.end() ? 0 : found->second;
}

}  // namespace tailseg::card
