// Cuts PTX into words: names and opcodes with their dots, numbers, strings, single marks. Comments are blanks.
#include "tests/card/ptx_tokens.h"

#include <charconv>
#include <stdexcept>

namespace tailseg::card {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%' ||
         c == '.' || c == '~';
}

}  // namespace

void Tokens::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c == '\n') {
      ++line_;
      ++at_;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\0') {
      ++at_;
    } else if (text_.substr(at_, 2) == "//") {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (text_.substr(at_, 2) == "/*") {
      const size_t end = std::min(text_.find("*/", at_ + 2), text_.size() - 2) + 2;
      for (; at_ < end; ++at_) line_ += text_[at_] == '\n';
    } else {
      return;
    }
  }
}

void Tokens::advance() {
  skip_blanks();
  next_ = Token{Token::Kind::end, {}, line_};
  if (at_ >= text_.size()) return;
  const size_t begin = at_;
  const char c = text_[at_];
  const bool negative = c == '-' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
  if (c == '"') {
    const size_t end = text_.find('"', at_ + 1);
    if (end == std::string_view::npos) refuse(text_, line_, "a string without its end");
    next_.kind = Token::Kind::string;
    next_.text = text_.substr(begin + 1, end - begin - 1);
    at_ = end + 1;
    return;
  }
  if (negative) ++at_;
  if (is_word(text_[at_])) {
    next_.kind = is_digit(text_[at_]) ? Token::Kind::number : Token::Kind::word;
    // "::" joins the parts of a modifier (.L1::no_allocate); a single colon ends a label.
    while (at_ < text_.size() && (is_word(text_[at_]) || text_.substr(at_, 2) == "::")) {
      at_ += text_[at_] == ':' ? 2 : 1;
    }
  } else {
    next_.kind = Token::Kind::mark;
    ++at_;
  }
  next_.text = text_.substr(begin, at_ - begin);
}

Token Tokens::take() {
  const Token token = next_;
  if (token.kind == Token::Kind::end) refuse_here("the text ends too early");
  advance();
  return token;
}

bool Tokens::take_if(std::string_view expected) {
  if (!next_.is(expected)) return false;
  advance();
  return true;
}

void Tokens::expect(std::string_view expected) {
  if (!take_if(expected)) {
    refuse_here(quoted(expected) + " was expected before '" + std::string(next_.text) + "'");
  }
}

int64_t Tokens::integer() {
  if (next_.kind != Token::Kind::number) refuse_here("a number was expected");
  const Operand number = literal(next_.text, *this);
  if (number.kind != Operand::Kind::integer) refuse_here("a whole number was expected");
  advance();
  return static_cast<int64_t>(number.bits);
}

Operand literal(std::string_view word, const Tokens& tokens) {
  Operand result;
  result.kind = Operand::Kind::integer;
  const bool negative = word.front() == '-';
  std::string_view digits = word.substr(negative ? 1 : 0);
  if (!digits.empty() && digits.back() == 'U') digits.remove_suffix(1);
  int base = 10;
  const std::string_view prefix = digits.substr(0, 2);
  if (prefix == "0f" || prefix == "0F" || prefix == "0d" || prefix == "0D") {
    result.kind = prefix[1] == 'f' || prefix[1] == 'F' ? Operand::Kind::float32 : Operand::Kind::float64;
    base = 16;
  } else if (prefix == "0x" || prefix == "0X") {
    base = 16;
  } else if (prefix == "0b" || prefix == "0B") {
    base = 2;
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  }
  if (base == 16 || base == 2) digits.remove_prefix(2);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result.bits, base);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    tokens.refuse_here(quoted(word) + " is no number that PTX knows");
  }
  if (negative) result.bits = 0 - result.bits;
  return result;
}

std::string_view line_of(std::string_view text, int line) {
  size_t begin = 0;
  for (int i = 1; i < line; ++i) {
    const size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return {};
    begin = end + 1;
  }
  std::string_view found = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
  while (!found.empty() && (found.front() == ' ' || found.front() == '\t')) found.remove_prefix(1);
  while (!found.empty() && (found.back() == ' ' || found.back() == '\t' || found.back() == '\r')) {
    found.remove_suffix(1);
  }
  return found;
}

std::string quoted(std::string_view word) {
  std::string result(1, '\'');
  return result.append(word).append(1, '\'');
}

void refuse(std::string_view text, int line, const std::string& why) {
  throw std::runtime_error("PTX line " + std::to_string(line) + ": " + why + " in \"" +
                           std::string(line_of(text, line)) + "\"");
}

}  // namespace tailseg::card
