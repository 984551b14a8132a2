// The plan cache's key and file, the rule for engines, and, in a CUDA build, real cuDNN plans for a card that is not
// here: golden/cuda/h200_device_properties.json describes an H200 by its published figures (cuDNN 9.8 and later plan
// from such a description; a card's own words come from device_properties).
#include "tensor/conv_plan.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tensor/conv_epilogue.h"
#include "tensor/conv_epilogue_body.h"
#include "tests/crew.h"
#include "tests/devices.h"

using namespace tailseg;
using Catch::Contains;

namespace {

ConvPlanKey layer(ConvDirection direction, DType dtype, MathMode math, int64_t n, int64_t h, int64_t w, int64_t c,
                  int64_t k, int64_t window, int64_t stride, int64_t padding, const char* epilogue = "") {
  ConvPlanKey key;
  key.direction = direction;
  key.dtype = dtype;
  key.math = math;
  key.n = n;
  key.h = h;
  key.w = w;
  key.c = c;
  key.k = k;
  key.r = key.s = window;
  key.stride = stride;
  key.padding = padding;
  const ConvGeometry geometry{stride, padding, 1};
  key.p = geometry.output_size(h, window);
  key.q = geometry.output_size(w, window);
  const std::string parts = epilogue;
  key.bias = parts.find('b') != std::string::npos;
  key.residual = parts.find('a') != std::string::npos;
  key.relu = parts.find('r') != std::string::npos;
  return key;
}

std::string temporary(const char* name) { return (std::filesystem::temp_directory_path() / name).string(); }

}  // namespace

TEST_CASE("every field of a convolution's key counts, in its equality, its hash and its text") {
  const ConvPlanKey base =
      layer(ConvDirection::forward, DType::float32, MathMode::float32, 2, 20, 30, 8, 16, 3, 1, 1, "b");
  std::vector<ConvPlanKey> others(19, base);
  others[0].direction = ConvDirection::backward_data;
  others[1].dtype = DType::bfloat16;
  others[2].math = MathMode::tf32;
  others[3].n = others[4].h = others[5].w = others[6].c = others[7].k = 99;
  others[8].r = others[9].s = others[10].p = others[11].q = 99;
  others[12].stride = others[13].padding = others[14].dilation = 9;
  others[15].bias = false;
  others[16].relu = true;
  others[17].alignment = 4;
  others[18].groups = 4;
  REQUIRE(base == layer(ConvDirection::forward, DType::float32, MathMode::float32, 2, 20, 30, 8, 16, 3, 1, 1, "b"));
  for (const ConvPlanKey& other : others) {
    INFO(other.text());
    REQUIRE_FALSE(other == base);
    REQUIRE(other.text() != base.text());
    REQUIRE(HashConvPlanKey()(other) != HashConvPlanKey()(base));
  }
}

TEST_CASE("a key is made from tensors, with the alignment that all of them share") {
  Context& ctx = cpu_context();
  const Tensor x = Tensor::zeros(ctx, {2, 5, 7, 3}), w = Tensor::zeros(ctx, {4, 3, 3, 3});
  const Tensor y = Tensor::zeros(ctx, {2, 3, 4, 4}), bias = Tensor::zeros(ctx, {4});
  const ConvGeometry geometry{2, 1, 1};
  const ConvPlanKey key =
      conv_plan_key(ConvDirection::forward, x, w, y, geometry, {&bias, nullptr, true}, MathMode::tf32);
  REQUIRE(
      key.text() ==
      "forward float32 tf32 x[2,5,7,3] w[4,3,3,3] y[2,3,4,4] stride 2 padding 1 dilation 1 alignment 16 +bias +relu");
  const Tensor second_image = x.slice(1, 2);  // 5 * 7 * 3 floats further: 420 bytes, a multiple of 4 only
  REQUIRE(
      conv_plan_key(ConvDirection::forward, second_image, w, y.slice(0, 1), geometry, {}, MathMode::tf32).alignment ==
      4);
}

TEST_CASE("which engines may be used") {
  const ConvPlanKey strict = layer(ConvDirection::forward, DType::float32, MathMode::float32, 1, 8, 8, 8, 8, 3, 1, 1);
  ConvPlanKey tf32 = strict, bfloat16 = strict;
  tf32.math = MathMode::tf32;
  bfloat16.dtype = DType::bfloat16;
  bfloat16.math = MathMode::bfloat16;
  EngineNotes notes;
  for (const ConvPlanKey& key : {strict, tf32, bfloat16}) REQUIRE(engine_is_allowed(notes, key));
  notes.tensor_core = true;
  REQUIRE_FALSE(engine_is_allowed(notes, strict));  // float32 on tensor cores is TF32
  REQUIRE(engine_is_allowed(notes, tf32));
  REQUIRE(engine_is_allowed(notes, bfloat16));
  notes = {};
  notes.down_converts_inputs = true;
  REQUIRE_FALSE(engine_is_allowed(notes, strict));
  notes = {};
  notes.winograd = true;
  REQUIRE(engine_is_allowed(notes, strict));
  REQUIRE_FALSE(engine_is_allowed(notes, bfloat16));
  notes = {};
  notes.nondeterministic = true;
  for (const ConvPlanKey& key : {strict, tf32, bfloat16}) REQUIRE_FALSE(engine_is_allowed(notes, key));
  notes = {};
  notes.reduced_precision_sums = true;
  for (const ConvPlanKey& key : {strict, tf32, bfloat16}) REQUIRE_FALSE(engine_is_allowed(notes, key));
}

TEST_CASE("a plan file gives back what was written, to the same library and card only") {
  const std::string path = temporary("tailseg_plans_test.json");
  PlanFile plans("cuDNN 91900", "A card");
  plans.set("forward a", "{\"engine\":\"x\\n\"}");
  plans.set("forward b", "plain \"text\"");
  plans.save(path);
  PlanFile same("cuDNN 91900", "A card"), newer("cuDNN 92000", "A card"), other("cuDNN 91900", "Another card");
  REQUIRE(same.load(path) == 2);
  REQUIRE(*same.find("forward a") == "{\"engine\":\"x\\n\"}");
  REQUIRE(*same.find("forward b") == "plain \"text\"");
  REQUIRE(same.find("forward c") == nullptr);
  REQUIRE(newer.load(path) == 0);
  REQUIRE(other.load(path) == 0);
  REQUIRE(same.load(temporary("tailseg_plans_that_do_not_exist.json")) == 0);
  std::ofstream(path) << "{\"format\": \"tailseg convolution plans 1\", \"library\": ";
  REQUIRE_THROWS_WITH(same.load(path), Contains(path) && Contains("is no plan file") && Contains("at byte"));
  std::ofstream(path) << "[1, 2]";
  REQUIRE_THROWS_WITH(same.load(path), Contains(path) && Contains("is no plan file"));
  std::filesystem::remove(path);
  REQUIRE_THROWS_WITH(plans.save("/nonexistent_folder/plans.json"), Contains("/nonexistent_folder/plans.json"));
}

TEST_CASE("the separate epilogue adds bias and residual, then clips") {
  const std::vector<float> y{1, -2, 3, -4, 5, -6}, residual{0.5f, 0.5f, -9, 1, 1, 10};
  const std::vector<float> bias{10, 0.5f, 30};
  for (Context* ctx : devices()) {
    const Tensor out = Tensor::from(*ctx, {1, 1, 2, 3}, y);
    const Tensor b = Tensor::from(*ctx, {3}, bias), r = Tensor::from(*ctx, {1, 1, 2, 3}, residual);
    apply_conv_epilogue(*ctx, out, {&b, &r, true});
    REQUIRE(out.to_vector<float>(*ctx) == std::vector<float>{11.5f, 0, 24, 7, 6.5f, 34});
  }
  std::vector<float> crew = y;
  crew::run(2, 2, ConvEpilogueBody<float>{crew.data(), bias.data(), residual.data(), 3, true});
  REQUIRE(crew == std::vector<float>{11.5f, 0, 24, 7, 6.5f, 34});
}

TEST_CASE("on the CPU there are no library plans") {
  Context& ctx = cpu_context();
  REQUIRE(load_conv_plans(ctx, "anything") == 0);
  REQUIRE(conv_plan_reports(ctx).empty());
}

#ifdef TAILSEG_CUDA

namespace {

std::string h200() {
  std::ifstream in(std::string(TAILSEG_GOLDEN_DIR) + "/cuda/h200_device_properties.json");
  std::stringstream json;
  json << in.rdbuf();
  return json.str();
}

struct Layer {
  int64_t n, h, w, c, k, window, stride, padding;
  const char* epilogue;
};

// The kinds of layer that Mask R-CNN R50-FPN has at 800x1344, batch 2; 16 where a small batch hides nothing.
const Layer kLayers[] = {
    {2, 800, 1344, 4, 64, 7, 2, 3, "br"},     // stem, image padded to 4 channels
    {2, 800, 1344, 3, 64, 7, 2, 3, "br"},     // stem as published
    {2, 200, 336, 64, 64, 1, 1, 0, "br"},     // res2
    {2, 200, 336, 64, 64, 3, 1, 1, "br"},     //
    {2, 200, 336, 64, 256, 1, 1, 0, "bar"},   // with the shortcut added
    {2, 200, 336, 64, 256, 1, 1, 0, "b"},     // the shortcut's own
    {2, 200, 336, 256, 512, 1, 2, 0, "b"},    // res3
    {2, 200, 336, 128, 128, 3, 2, 1, "br"},   //
    {2, 100, 168, 512, 128, 1, 1, 0, "br"},   //
    {2, 50, 84, 256, 256, 3, 1, 1, "br"},     // res4
    {2, 50, 84, 256, 1024, 1, 1, 0, "bar"},   //
    {2, 50, 84, 512, 512, 3, 2, 1, "br"},     // res5
    {2, 25, 42, 512, 2048, 1, 1, 0, "bar"},   //
    {2, 25, 42, 2048, 256, 1, 1, 0, "b"},     // FPN
    {2, 200, 336, 256, 256, 3, 1, 1, "b"},    // FPN and RPN on P2
    {2, 13, 21, 256, 256, 3, 1, 1, "br"},     // RPN on P6
    {2, 200, 336, 256, 16, 1, 1, 0, "b"},     // RPN's outputs in one
    {2, 200, 336, 256, 3, 1, 1, 0, "b"},      // RPN's outputs as published
    {256, 14, 14, 256, 256, 3, 1, 1, "br"},   // mask head
    {16, 200, 336, 256, 256, 3, 1, 1, "br"},  // a large batch
};

}  // namespace

TEST_CASE("cuDNN has a repeatable fused plan for every layer of R50-FPN on an H200") {
  const std::string card = h200();
  int64_t most = 0;
  for (const Layer& l : kLayers) {
    for (auto [dtype, math] :
         {std::pair{DType::bfloat16, MathMode::bfloat16}, std::pair{DType::float32, MathMode::tf32},
          std::pair{DType::float32, MathMode::float32}}) {
      for (auto direction : {ConvDirection::forward, ConvDirection::backward_data, ConvDirection::backward_filter}) {
        const char* epilogue = direction == ConvDirection::forward ? l.epilogue : "";
        const ConvPlanKey key =
            layer(direction, dtype, math, l.n, l.h, l.w, l.c, l.k, l.window, l.stride, l.padding, epilogue);
        INFO(key.text());
        const ConvPlanReport report = plan_conv_without_device(key, card);
        CHECK_FALSE(report.notes.nondeterministic);
        CHECK((math != MathMode::float32 || !report.notes.tensor_core));
        most = std::max(most, report.workspace_bytes);
      }
    }
  }
  CHECK(most <= int64_t{1} << 30);
}

TEST_CASE("cuDNN has a repeatable plan for ResNeXt's grouped convolutions on an H200") {
  for (auto [dtype, math] :
       {std::pair{DType::bfloat16, MathMode::bfloat16}, std::pair{DType::float32, MathMode::float32}}) {
    for (auto direction : {ConvDirection::forward, ConvDirection::backward_data, ConvDirection::backward_filter}) {
      for (int64_t stride : {1, 2}) {  // without the epilogue, which is a pass of its own where no engine fuses it
        ConvPlanKey key = layer(direction, dtype, math, 2, 100, 168, 256, 256, 3, stride, 1);
        key.groups = 32;
        INFO(key.text());
        CHECK_FALSE(plan_conv_without_device(key, h200()).notes.nondeterministic);
      }
    }
  }
}

TEST_CASE("a form that no engine has is refused with the key in the message") {
  const ConvPlanKey key =
      layer(ConvDirection::backward_data, DType::bfloat16, MathMode::bfloat16, 128, 28, 28, 256, 256, 2, 2, 0, "br");
  REQUIRE_THROWS_WITH(plan_conv_without_device(key, h200()), Contains("no cuDNN engine") && Contains("+bias +relu"));
}

#endif
