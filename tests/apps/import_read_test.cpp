// Reading other people's weight files: every container and dtype from golden files whose contents are known by formula
// (tests/golden/import/README.md), then pickles written here opcode by opcode, hostile ones first.
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "apps/import/pickle.h"
#include "apps/import/torch_archive.h"
#include "apps/import/weights_file.h"
#include "tensor/error.h"

using namespace tailseg;
using namespace std::string_literals;

namespace {

const std::string kFolder = TAILSEG_GOLDEN_DIR "/import/";

std::vector<float> values(const WeightsFile& file, const std::string& name) {
  return host_to_float32(file.tensors.at(name), name);
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

WeightsFile parse(const std::string& bytes) { return parse_weights(std::as_bytes(std::span(bytes)), "case"); }

std::string problem(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

std::vector<float> ramp(int count) {
  std::vector<float> numbers(size_t(count), 0.0f);
  for (int i = 0; i < count; ++i) numbers[size_t(i)] = float(i);
  return numbers;
}

}  // namespace

TEST_CASE("torch.save files, zip and legacy: every dtype and stride") {
  const std::string name = GENERATE("tensors_zip.pth"s, "tensors_legacy.pth"s);
  CAPTURE(name);
  if (name == "tensors_zip.pth" && !can_open_torch_zip()) {
    REQUIRE_THROWS_WITH(read_weights(kFolder + name), Catch::Contains("libzip-dev"));
    return;
  }
  const WeightsFile file = read_weights(kFolder + name);
  REQUIRE(file.tensors.size() == 16);
  CHECK(values(file, "weight") == ramp(24));
  CHECK(file.tensors.at("transposed").shape == std::vector<int64_t>{6, 4});
  const auto transposed = values(file, "transposed");
  for (int i = 0; i < 24; ++i) CHECK(transposed[size_t(i)] == float((i % 4) * 6 + i / 4));
  CHECK(file.tensors.at("slice").shape == std::vector<int64_t>{3, 3});
  CHECK(values(file, "slice") == std::vector<float>{6, 8, 10, 12, 14, 16, 18, 20, 22});
  CHECK(values(file, "expanded") == std::vector<float>{5, 5, 5, 6, 6, 6});
  CHECK(file.tensors.at("half").dtype == "F16");
  CHECK(values(file, "half") == std::vector<float>{0.5f, -2.0f, 65504.0f});
  CHECK(file.tensors.at("bfloat16").dtype == "BF16");
  CHECK(values(file, "bfloat16") == std::vector<float>{1.0f, -3.140625f});
  CHECK(file.tensors.at("double").dtype == "F64");
  CHECK(values(file, "double") == std::vector<float>{0.1f, 1e10f});
  CHECK(values(file, "int64") == std::vector<float>{1, -2, 3, 0x1p40f});
  CHECK(values(file, "int32") == std::vector<float>{-7});
  CHECK(values(file, "int16") == std::vector<float>{-300});
  CHECK(values(file, "int8") == std::vector<float>{-8});
  CHECK(values(file, "uint8") == std::vector<float>{200});
  CHECK(values(file, "bool") == std::vector<float>{1, 0});
  CHECK(file.tensors.at("scalar").shape.empty());
  CHECK(values(file, "scalar") == std::vector<float>{7.25f});
  CHECK(file.tensors.at("empty").shape == std::vector<int64_t>{0, 3});
  CHECK(values(file, "parameter") == std::vector<float>{1.5f, 2.5f});
}

TEST_CASE("NumPy arrays in pickle protocols 2, 4 and 5") {
  const std::string protocol = GENERATE("2"s, "4"s, "5"s);
  CAPTURE(protocol);
  const WeightsFile file = read_weights(kFolder + "arrays_protocol" + protocol + ".pkl");
  CHECK(file.format == "pickle");
  CHECK(file.author == "torchvision");
  CHECK(values(file, "a.weight") == ramp(6));
  CHECK(file.tensors.at("a.weight").shape == std::vector<int64_t>{2, 3});
  CHECK(values(file, "a.bias") == std::vector<float>{0.5f, -200.0f});
  CHECK(values(file, "f_order") == ramp(6));
  CHECK(values(file, "count") == std::vector<float>{9});
}

TEST_CASE("training checkpoints: the state dict is found, the rest is inert") {
  if (!can_open_torch_zip()) return;
  const WeightsFile references = read_weights(kFolder + "checkpoint_namespace.pth");
  CHECK(values(references, "weight") == std::vector<float>{1, 2});
  CHECK(values(references, "bias") == std::vector<float>{3});
  CHECK(references.ignored == std::vector<std::string>{"optimizer", "lr_scheduler", "args", "epoch"});
  const WeightsFile mmdet = read_weights(kFolder + "checkpoint_mmdet.pth");
  CHECK(values(mmdet, "weight") == std::vector<float>{1, 2});
  CHECK(mmdet.classes == std::vector<std::string>{"cat", "dog"});
  CHECK_THAT(mmdet.config, Catch::Contains("to_rgb=False"));
  CHECK_THROWS_WITH(read_weights(kFolder + "whole_module.pth"),
                    Catch::Contains("torch.nn.modules.linear.Linear") && Catch::Contains("save model.state_dict()"));
}

TEST_CASE("a damaged or truncated archive is refused, at every length") {
  if (!can_open_torch_zip()) return;
  const std::string whole = contents(kFolder + "tensors_zip.pth");
  for (size_t length = 0; length < whole.size(); length += 7) CHECK(problem(whole.substr(0, length)) != "accepted");
  std::string damaged = whole;
  const std::string ten = "\x00\x00\x20\x41"s;  // 10.0f, inside the one large storage
  damaged[damaged.find(ten)] ^= 1;
  CHECK_THAT(problem(damaged), Catch::Contains("damaged"));
}
TEST_CASE("a truncated legacy file or pickle is refused, at every length") {
  for (const char* name : {"tensors_legacy.pth", "arrays_protocol2.pkl", "arrays_protocol5.pkl"}) {
    const std::string whole = contents(kFolder + name);
    CAPTURE(name);
    for (size_t length = 0; length < whole.size(); length += 3) CHECK(problem(whole.substr(0, length)) != "accepted");
  }
}

TEST_CASE("files that are something else are named as such") {
  CHECK_THAT(problem("hello, world"), Catch::Contains("not a weight file"));
  CHECK_THAT(problem(""), Catch::Contains("not a weight file"));
  CHECK_THAT(problem(std::string(257, 'x') + "ustar" + std::string(300, 'x')), Catch::Contains("tar archive"));
  CHECK_THAT(problem("\x80\x02}."s), Catch::Contains("no tensors found"));
  CHECK_THROWS_WITH(read_weights("/no/such/file"), Catch::Contains("/no/such/file"));
}

TEST_CASE("a pickle that asks for a command runs nothing") {
  const auto mark = std::filesystem::temp_directory_path() / "tailseg_pickle_ran";
  std::filesystem::remove(mark);
  const std::string command = "touch " + mark.string();
  // cos\nsystem\n(X<command>tR. : os.system(command), as pickle would run it
  std::string bytes =
      "\x80\x02"
      "cos\nsystem\n(X"s;
  const auto length = uint32_t(command.size());
  bytes.append(reinterpret_cast<const char*>(&length), 4);
  bytes += command + "tR.";
  CHECK_THAT(problem(bytes), Catch::Contains("os.system"));
  CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("malformed pickles end in an error that says where") {
  struct Case {
    std::string bytes, expected;
  };
  const std::vector<Case> cases = {
      {"\x80\x02N"s, "too early"},
      {"\x80\x02."s, "not there"},
      {"\x80\x02t."s, "no mark"},
      {"\x80\x02(0e."s, "no mark"},
      {"\x80\x02h\x05."s, "memo slot 5 is empty"},
      {"\x80\x02\x86."s, "a tuple of 2"},
      {"\x80\x02NNs."s, "not there"},
      {"\x80\x02N(NNu."s, "holds none"},
      {"\x80\x02}(Nu."s, "without a value"},
      {"\x80\x02X\xff\xff\xff\x7f."s, "too early"},
      {"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff."s, "too early"},
      {"\x80\x02NNR."s, "no tuple"},
      {"\x80\x02Ii\n."s, "opcode 73"},
      {"\x80\x02"
       "cabc"s,
       "too early"},
      {"\x80\x05"
       "c"s +
           std::string(2000, 'a') + "\nb\n.",
       "characters"},
      {"\x80\x02"
       "ccollections\nOrderedDict\n]N\x61\x85R."s,
       "list of pairs"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.expected);
    CHECK_THAT(problem(c.bytes), Catch::Contains(c.expected) && Catch::Contains("byte"));
  }
}

TEST_CASE("bombs: cycles, doubling memos, deep nesting and endless values stay small") {
  // A list that contains itself, and a tower of lists each holding the one below twice (2^200 leaves if expanded).
  CHECK_THAT(problem("\x80\x02]q\x00h\x00"
                     "a."s),
             Catch::Contains("no tensors"));
  std::string tower = "\x80\x02]"s;
  for (int i = 0; i < 200; ++i)
    tower +=
        "q\x01](h\x01h\x01"
        "e"s;
  CHECK_THAT(problem(tower + "."), Catch::Contains("no tensors"));
  std::string deep = "\x80\x02N"s;
  for (int i = 0; i < 300000; ++i) deep += '\x85';
  CHECK_THAT(problem(deep + "."), Catch::Contains("no tensors"));
  const std::string many = "\x80\x02"s + std::string(5000, 'N') + ".";
  PickleLimits limits;
  limits.values = 4000;
  CHECK_THROWS_WITH(Pickle(std::as_bytes(std::span(many)), "case", limits), Catch::Contains("more than 4000 values"));
  limits.values = 8000;
  limits.operations = 4000;
  CHECK_THROWS_WITH(Pickle(std::as_bytes(std::span(many)), "case", limits), Catch::Contains("4000 operations"));
}

namespace {

std::string text_op(const std::string& value) { return text("U", char(value.size()), value); }

std::string int_op(int64_t value) {
  std::string op = "\x8a\x08"s;
  op.append(reinterpret_cast<const char*>(&value), 8);
  return op;
}

// {"x": numpy array of the given shape over `data`}, protocol 2, with the data as a Python 2 string.
std::string array_pickle(const std::vector<int64_t>& shape, const std::string& dtype, const std::string& order,
                         const std::string& data) {
  std::string axes;
  for (const int64_t axis : shape) axes += int_op(axis);
  const std::string four = "\xff\xff\xff\xff";
  return text("\x80\x02}", text_op("x"), "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85"s,
              text_op("b"), "tR(K\x01(", axes, "tcnumpy\ndtype\n", text_op(dtype), "K\x00K\x01\x87R(K\x03"s,
              text_op(order), "NNNJ", four, "J", four, "K\x00tb\x89"s, text_op(data), "tbs.");
}

}  // namespace

TEST_CASE("a Python 2 NumPy pickle is read; absurd shapes and foreign dtypes are refused") {
  const std::string two = "\x00\x00\x80\x3f\x00\x00\x00\x40"s;  // 1.0f, 2.0f
  CHECK(values(parse(array_pickle({2}, "f4", "<", two)), "x") == std::vector<float>{1, 2});
  CHECK_THAT(problem(array_pickle({3}, "f4", "<", two)), Catch::Contains("tensor 'x'") && Catch::Contains("only 2"));
  CHECK_THAT(problem(array_pickle({-1}, "f4", "<", two)), Catch::Contains("negative"));
  CHECK_THAT(problem(array_pickle({INT64_MAX, INT64_MAX}, "f4", "<", two)), Catch::Contains("2^62"));
  CHECK_THAT(problem(array_pickle({INT64_MAX, 0, 4}, "f4", "<", two)), Catch::Contains("2^62"));
  CHECK_THAT(problem(array_pickle(std::vector<int64_t>(17, 1), "f4", "<", two)), Catch::Contains("at most 16"));
  CHECK_THAT(problem(array_pickle({2}, "O8", "|", two)), Catch::Contains("dtype 'O8'"));
  CHECK_THAT(problem(array_pickle({2}, "f4", ">", two)), Catch::Contains("big-endian"));
}

TEST_CASE("a legacy torch tensor whose view leaves its storage, or would expand without bound, is refused") {
  const std::string whole = contents(kFolder + "tensors_legacy.pth");
  // `expanded` has shape (2, 3) and strides (1, 0): K\x02 K\x03 \x86 and K\x01 K\x00 \x86.
  const std::string shape = "K\x02K\x03\x86"s, strides = "K\x01K\x00\x86"s;
  size_t at = whole.find(strides);
  REQUIRE(at != std::string::npos);
  std::string outside = whole;
  outside[at + 1] = 9;
  CHECK_THAT(problem(outside), Catch::Contains("'expanded'") && Catch::Contains("reaches element"));
  at = whole.rfind(shape, at);
  REQUIRE(at != std::string::npos);
  const std::string huge = whole.substr(0, at) + "K\x02J\xff\xff\xff\x7f\x86"s + whole.substr(at + shape.size());
  CHECK_THAT(problem(huge), Catch::Contains("far larger than the file"));
}
