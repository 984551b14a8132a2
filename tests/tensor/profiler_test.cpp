// The kernel table counts calls, time, bytes and operations; clearing it in the middle of a kernel or span is harmless.
#include "tensor/profiler.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tensor/context.h"
#include "tensor/elementwise.h"
#include "tensor/error.h"

using namespace tailseg;

TEST_CASE("each launch is a call with its cost, and nothing is kept when nobody watches") {
  Context ctx;
  const Tensor x = Tensor::full(ctx, {100}, 2);
  const auto profiler = make_profiler(ctx);
  ctx.set_profiler(profiler.get());
  add(ctx, x, x);
  add(ctx, x, x);
  ctx.set_profiler(nullptr);
  add(ctx, x, x);
  REQUIRE(profiler->rows().size() == 1);
  const KernelRow& row = profiler->rows().at("axpby");
  REQUIRE(row.calls == 2);
  REQUIRE(row.cost.bytes == 2 * 3 * 4 * 100);
  REQUIRE(row.cost.operations == 2 * 3 * 100);
  REQUIRE(row.seconds >= 0);
}

TEST_CASE("a table that is cleared while a kernel or a span is open forgets them") {
  Context ctx;
  const auto profiler = make_profiler(ctx);
  ctx.set_profiler(profiler.get());
  {
    const SpanScope span(ctx, "step");
    const KernelScope kernel(ctx, "half", {8, 8});
    profiler->clear();
    const KernelScope fresh(ctx, "whole", {16, 4});
  }
  REQUIRE(profiler->rows().count("half") == 0);
  REQUIRE(profiler->rows().at("whole").calls == 1);
  REQUIRE(profiler->rows().at("whole").cost.bytes == 16);
  ctx.set_profiler(nullptr);
}

TEST_CASE("a trace holds every kernel, and one that cannot be written is an error") {
  Context ctx;
  const auto profiler = make_profiler(ctx);
  ctx.set_profiler(profiler.get());
  {
    const SpanScope span(ctx, "forward/head");
    const KernelScope kernel(ctx, "sum_row", {8, 8});
  }
  ctx.set_profiler(nullptr);
  const auto path = std::filesystem::temp_directory_path() / "tailseg_trace_test.json";
  profiler->write_trace(path.string());
  std::stringstream content;
  content << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  REQUIRE(content.str().find("\"name\":\"sum_row\"") != std::string::npos);
  REQUIRE(content.str().find("\"name\":\"forward/head\"") != std::string::npos);
  REQUIRE_THROWS_WITH(profiler->write_trace("/nowhere/at/all.json"), Catch::Contains("/nowhere/at/all.json"));
}
