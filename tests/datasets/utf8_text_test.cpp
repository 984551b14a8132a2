// Expected texts are those of Python's bytes.decode("utf-8", "replace"), where one byte at a time is wrong.
#include "datasets/utf8_text.h"

#include <catch2/catch.hpp>

using tailseg::utf8_text;

TEST_CASE("UTF-8 stays, other bytes become U+FFFD") {
  const std::string bad = "\xef\xbf\xbd";
  CHECK(utf8_text("plain \xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80") == "plain \xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x98\x80");
  CHECK(utf8_text("a\xff") == "a" + bad);
  CHECK(utf8_text("\xe9t\xe9") == bad + "t" + bad);               // Latin-1
  CHECK(utf8_text("\xc0\xaf") == bad + bad);                      // an overlong slash
  CHECK(utf8_text("\xed\xa0\x80") == bad + bad + bad);            // a surrogate
  CHECK(utf8_text("\xf4\x90\x80\x80") == bad + bad + bad + bad);  // beyond U+10FFFF
  CHECK(utf8_text("") == "");
}
