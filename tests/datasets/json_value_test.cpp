#include "datasets/json/json_value.h"

#include <catch2/catch.hpp>

#include <cmath>

#include "tensor/error.h"

using namespace tailseg;
using Catch::Matchers::Contains;

namespace {

struct Pair {  // {"a": integer, "b": [numbers], "c": flag}
  JsonInteger a;
  JsonNumbers b;
  JsonFlag c;
  JsonObject object;
  Pair() {
    object.add("a", a, true);
    object.add("b", b, false);
    object.add("c", c, false);
  }
};

std::string refusal(const std::string& json) {
  Pair pair;
  try {
    walk_json(json, "file.json", pair.object);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

double number(const std::string& json) {
  JsonNumber value;
  walk_json(json, "n", value);
  return value.value;
}

}  // namespace

TEST_CASE("members are found by name in any order and unknown ones are skipped") {
  Pair pair;
  walk_json(R"({"x": {"a": [1, {"a": 7}]}, "b": [0.5, -2, 1e2], "a": 12, "c": true})", "f", pair.object);
  REQUIRE(pair.a.value == 12);
  REQUIRE(pair.b.values == std::vector<double>{0.5, -2, 100});
  REQUIRE(pair.c.value);
  REQUIRE(pair.object.has(pair.b));
  walk_json(R"({"a": 3})", "f", pair.object);
  REQUIRE(pair.a.value == 3);
  REQUIRE_FALSE(pair.object.has(pair.b));
}

TEST_CASE("numbers are rounded to the nearest double, also where RapidJSON's own conversion is not") {
  const std::string zeros(400, '0');
  REQUIRE(number("0.1") == 0.1);
  REQUIRE(number("5708990770823839524233143877797980545530986496") == 0x1p152);
  REQUIRE(number("2.2250738585072011e-308") == 2.2250738585072011e-308);
  REQUIRE(number("9007199254740993.0") == 9007199254740992.0);
  REQUIRE(number("1e-400") == 0);
  REQUIRE(number("0." + zeros + "1") == 0);
  REQUIRE(number("0e-500") == 0);
  REQUIRE(std::isinf(number("-Infinity")));
  REQUIRE(std::isnan(number("NaN")));
}

TEST_CASE("an integer may be written with a fraction of zero but not with another") {
  JsonInteger value;
  walk_json("17.0", "f", value);
  REQUIRE(value.value == 17);
  walk_json("-9223372036854775808", "f", value);
  REQUIRE(value.value == INT64_MIN);
  REQUIRE_THROWS_WITH(walk_json("17.5", "f", value), Contains("expected an integer, got 17.5"));
  REQUIRE_THROWS_WITH(walk_json("18446744073709551615", "f", value), Contains("expected an integer"));
}

TEST_CASE("a mismatch names the file, the byte, the path and both types") {
  REQUIRE(refusal(R"({"a": "12"})") == "file.json: byte 10, a: expected an integer, got a string");
  REQUIRE(refusal(R"({"a": 1, "b": [1, 2, "x"]})") ==
          "file.json: byte 24, b[2]: expected a list of numbers, got a string");
  REQUIRE_THAT(refusal(R"({"a": 1, "b": [[1]]})"), Contains("got a list in a list"));
  REQUIRE_THAT(refusal(R"({"a": 1, "c": 2})"), Contains("c: expected 0 or 1, got 2"));
  REQUIRE_THAT(refusal(R"([1])"), Contains("expected an object, got a list"));
  REQUIRE_THAT(refusal(R"({"b": [1]})"), Contains("key 'a' is missing"));
  REQUIRE_THAT(refusal(R"({"a": 1, "a": 2})"), Contains("key 'a' occurs twice"));
  REQUIRE_THAT(refusal(R"({"a": null})"), Contains("got null"));
}

TEST_CASE("malformed text is refused with its byte") {
  REQUIRE_THAT(refusal(R"({"a": 1,, "b": []})"), Contains("file.json: byte 8: not valid JSON"));
  REQUIRE_THAT(refusal(R"({"a": 1, "b": [1, 2)"), Contains("cut short"));
  REQUIRE_THAT(refusal(""), Contains("byte 0"));
  REQUIRE_THAT(refusal(R"({"a": 1} x)"), Contains("byte 9"));
  REQUIRE_THAT(refusal(std::string("{\"a\": 1}\0{}", 11)), Contains("byte 8"));
  REQUIRE_THAT(refusal(R"({"a": 1, "z": )" + std::string(100000, '[')), Contains("nested deeper than 64"));
}
