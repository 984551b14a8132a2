#include "tensor/error.h"

#include <catch2/catch.hpp>

TEST_CASE("an error carries its message parts in order") {
  REQUIRE_THROWS_WITH(tailseg::fail("axis ", 3, " of a tensor with ", 2, " axes"), "axis 3 of a tensor with 2 axes");
  REQUIRE_NOTHROW([] { TS_CHECK(true, "never"); }());
  REQUIRE_THROWS_AS([] { TS_CHECK(1 > 2, "always"); }(), tailseg::Error);
}
