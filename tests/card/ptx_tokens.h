// The words of a PTX text, one after another.
#pragma once

#include <string_view>

#include "tests/card/ptx_text.h"

namespace tailseg::card {

struct Token {
  enum class Kind { word, number, string, mark, end };
  Kind kind = Kind::end;
  std::string_view text;
  int line = 1;
  bool is(std::string_view expected) const { return kind != Kind::string && text == expected; }
};

class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) { advance(); }
  const Token& peek() const { return next_; }
  Token take();
  bool take_if(std::string_view expected);  // true when it was next
  void expect(std::string_view expected);
  int64_t integer();
  [[noreturn]] void refuse_here(const std::string& why) const { refuse(text_, next_.line, why); }
  std::string_view text() const { return text_; }

 private:
  void advance();
  void skip_blanks();

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
  Token next_;
};

// The bits of "12", "-1", "0x1f", "12U", "0f3F800000" and "0d..." as an operand.
Operand literal(std::string_view word, const Tokens& tokens);

}  // namespace tailseg::card
