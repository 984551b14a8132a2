// safetensors: files written byte by byte here from the format's description, every broken rule refused by name, exact
// bytes of what we write, and what happens when the disk is full.
#include "nn/safetensors.h"

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "nn/atomic_file.h"
#include "tensor/error.h"

using namespace tailseg;
namespace fs = std::filesystem;

namespace {

struct TemporaryFolder {
  fs::path path;
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "tailseg_safetensors_XXXXXX").string();
    path = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { fs::remove_all(path); }
  std::string operator/(const std::string& name) const { return (path / name).string(); }
};

std::string file_of(const std::string& json, const std::string& data) {
  std::string file(8, '\0');
  const uint64_t length = json.size();
  std::memcpy(file.data(), &length, 8);
  return file + json + data;
}

TensorFile parse(const std::string& bytes) { return parse_safetensors(std::as_bytes(std::span(bytes)), "case"); }

void put(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string get(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string message_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

const std::string kOneFloat = std::string("\x00\x00\xc0\x3f", 4);  // 1.5f

}  // namespace

TEST_CASE("a file written by hand is read: values, scalar, empty tensor, metadata") {
  const std::string json =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"I64","shape":[],"data_offsets":[8,16]},"none":{"dtype":"F32","shape":[0,3],"data_offsets":[8,8]}}   )";
  const std::string data = kOneFloat + std::string("\x00\x00\x20\xc0", 4) + std::string("\x2a\0\0\0\0\0\0\0", 8);
  const TensorFile file = parse(file_of(json, data));
  REQUIRE(file.metadata == TextMap{{"format", "pt"}});
  REQUIRE(host_to_float32(file.tensors.at("b"), "b") == std::vector<float>{1.5f, -2.5f});
  REQUIRE(host_to_float32(file.tensors.at("a"), "a") == std::vector<float>{42.0f});
  REQUIRE(file.tensors.at("none").shape == std::vector<int64_t>{0, 3});
  REQUIRE(file.tensors.at("none").bytes.empty());
}

TEST_CASE("half and bfloat16 widen exactly") {
  // binary16: 1 = 3c00, -2 = c000, smallest subnormal 0001 = 2^-24, largest 7bff = 65504, 7c00 = infinity.
  const HostTensor half{"F16",
                        {5},
                        {std::byte(0x00), std::byte(0x3c), std::byte(0x00), std::byte(0xc0), std::byte(0x01),
                         std::byte(0x00), std::byte(0xff), std::byte(0x7b), std::byte(0x00), std::byte(0x7c)}};
  REQUIRE(host_to_float32(half, "half") == std::vector<float>{1.0f, -2.0f, 0x1p-24f, 65504.0f, INFINITY});
  const HostTensor brain{"BF16", {2}, {std::byte(0x80), std::byte(0x3f), std::byte(0x49), std::byte(0x40)}};
  REQUIRE(host_to_float32(brain, "brain") == std::vector<float>{1.0f, 3.140625f});
}

TEST_CASE("each rule of the format is enforced by name") {
  const std::string good = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  REQUIRE(message_of(file_of(good, kOneFloat)) == "accepted");
  struct Case {
    std::string json, data, expected;
  };
  const std::vector<Case> cases = {
      {good, kOneFloat.substr(0, 3), "truncated"},
      {good, kOneFloat + "x", "1 bytes after the last tensor"},
      {" " + good, kOneFloat, "does not start with '{'"},
      {good + "x", kOneFloat, "header byte"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}})",
       kOneFloat, "'a' occurs twice"},
      {R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", kOneFloat, "'dtype' occurs twice"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})", kOneFloat + "x", "a hole"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})",
       kOneFloat + "xx", "overlaps"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", kOneFloat, "takes 8 bytes"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", kOneFloat, "takes 4 bytes"},
      {R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", kOneFloat, "unknown dtype 'F31'"},
      {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", kOneFloat, "a value of a type"},
      {R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", kOneFloat, "a value of a type"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})", kOneFloat, "2^62"},
      {R"({"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4]}})", kOneFloat, "takes"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,4]}})", kOneFloat, "too large"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}})", kOneFloat, "out of range"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", kOneFloat, "3 numbers"},
      {R"({"a":{"dtype":"F32","shape":[1]}})", kOneFloat, "'data_offsets' is missing"},
      {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", kOneFloat, "unknown field 'more'"},
      {R"({"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}})", kOneFloat, "an array where none belongs"},
      {R"({"a":{"dtype":{},"shape":[1],"data_offsets":[0,4]}})", kOneFloat, "an object where none belongs"},
      {R"({"a":[0]})", "", "an array where none belongs"},
      {R"({"a":1})", "", "a number where none belongs"},
      {R"({"__metadata__":{"k":1}})", "", "a number where none belongs"},
      {R"({"__metadata__":{"k":{}}})", "", "an object where none belongs"},
      {R"({"__metadata__":{"k":"1","k":"2"}})", "", "'k' twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", "", "occurs twice"},
      {"{\"\xff\":{}}", "", "header byte"},
      {R"({"a":)", "", "header byte"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.json);
    CHECK_THAT(message_of(file_of(c.json, c.data)), Catch::Contains(c.expected));
  }
  REQUIRE_THAT(message_of(""), Catch::Contains("too few"));
  REQUIRE_THAT(message_of(std::string(7, 'x')), Catch::Contains("too few"));
  std::string huge = file_of(good, kOneFloat);
  const uint64_t length = kMaxSafetensorsHeader + 1;
  std::memcpy(huge.data(), &length, 8);
  REQUIRE_THAT(message_of(huge), Catch::Contains("limit"));
  const uint64_t beyond = huge.size() - 7;
  std::memcpy(huge.data(), &beyond, 8);
  REQUIRE_THAT(message_of(huge), Catch::Contains("truncated"));
}

TEST_CASE("a deeply nested header is refused without recursion") {
  REQUIRE_THAT(message_of(file_of("{\"a\":" + std::string(1 << 20, '['), "")), Catch::Contains("array where none"));
}

TEST_CASE("what we write is exactly the format: aligned, sorted, padded, repeatable") {
  const TemporaryFolder folder;
  HostTensors tensors;
  tensors["z"] = host_from_float32({1}, {1.5f});
  tensors["flag"] = {"U8", {3}, {std::byte(1), std::byte(2), std::byte(3)}};
  tensors["a\"b"] = {"BF16", {1}, {std::byte(0x80), std::byte(0x3f)}};
  write_safetensors(folder / "t.safetensors", tensors, {{"k", "v"}});
  // z (4-byte elements) first, then a"b (2), then flag (1); names sorted in the header; 8 divides the header's length.
  std::string json = R"({"__metadata__":{"k":"v"},"a\"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]},)"
                     R"("flag":{"dtype":"U8","shape":[3],"data_offsets":[6,9]},)"
                     R"("z":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  while (json.size() % 8) json += ' ';
  REQUIRE(get(folder / "t.safetensors") == file_of(json, kOneFloat + "\x80\x3f\x01\x02\x03"));
  REQUIRE_FALSE(fs::exists(folder / "t.safetensors.tmp"));

  const SafetensorsFile file(folder / "t.safetensors");
  REQUIRE(file.metadata() == TextMap{{"k", "v"}});
  REQUIRE(file.read("flag").bytes == tensors["flag"].bytes);
  REQUIRE_THROWS_WITH(file.read("flags"), Catch::Contains("no tensor 'flags'"));
}

TEST_CASE("a producer that delivers the wrong size leaves the previous file") {
  const TemporaryFolder folder;
  const std::string path = folder / "t.safetensors";
  write_safetensors(path, {{"a", host_from_float32({1}, {1.5f})}}, {});
  const std::string before = get(path);
  const std::vector<std::byte> three(3);
  REQUIRE_THROWS_WITH(
      write_safetensors(path, {{"a", "F32", {1}}}, {}, [&](const SafetensorsSpec&) { return std::span(three); }),
      Catch::Contains("takes 4 bytes, but 3 came"));
  REQUIRE_THROWS_WITH(write_safetensors(path, {{"a", "F33", {1}}}, {}, nullptr), Catch::Contains("unknown dtype"));
  REQUIRE(get(path) == before);
  REQUIRE_FALSE(fs::exists(path + ".tmp"));
}

TEST_CASE("a truncated file and a file that is none are refused on opening") {
  const TemporaryFolder folder;
  const std::string path = folder / "t.safetensors";
  write_safetensors(path, {{"a", host_from_float32({100}, std::vector<float>(100, 1.0f))}}, {});
  const auto size = fs::file_size(path);
  for (const uint64_t keep : {uint64_t(0), uint64_t(5), uint64_t(9), uint64_t(40), uint64_t(size - 1)}) {
    const std::string whole = get(path);
    put(folder / "cut", whole.substr(0, keep));
    CAPTURE(keep);
    REQUIRE_THROWS_AS(SafetensorsFile(folder / "cut"), Error);
  }
  REQUIRE_THROWS_WITH(SafetensorsFile(folder.path.string()), Catch::Contains("not a regular file"));
  REQUIRE_THROWS_WITH(SafetensorsFile(folder / "absent"), Catch::Contains("absent"));
  REQUIRE_THROWS_WITH(write_safetensors(folder / "no/such/folder", HostTensors{}, {}),
                      Catch::Contains("does the folder exist"));
}

namespace {

constexpr int kSkipped = 77;

// In a child: limits or mounts must not touch this process. Returns the child's exit code.
template <class Action>
int in_child(Action action) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(action());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

// 0 when the second, larger file is refused with `expected` in the message and the first one is still there.
int overfill(const std::string& path, const std::string& expected) {
  try {
    write_safetensors(path, {{"a", host_from_float32({1}, {1.5f})}}, {});
    const std::string before = get(path);
    try {
      write_safetensors(path, {{"a", host_from_float32({1 << 18}, std::vector<float>(1 << 18))}}, {});
      return 2;
    } catch (const Error& error) {
      if (std::string(error.what()).find(expected) == std::string::npos) return 3;
    }
    if (get(path) != before || SafetensorsFile(path).read("a").shape != std::vector<int64_t>{1}) return 4;
    return fs::exists(path + ".tmp") ? 5 : 0;
  } catch (...) {
    return 6;
  }
}

}  // namespace

TEST_CASE("a file that may not grow leaves the previous one and no temporary file") {
  const TemporaryFolder folder;
  const int code = in_child([&] {
    const rlimit limit{65536, 65536};
    std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    return overfill(folder / "t.safetensors", "file size limit");
  });
  REQUIRE(code == 0);
}

TEST_CASE("a full disk leaves the previous file (needs the right to mount a small tmpfs)") {
  const TemporaryFolder folder;
  const int code = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0) return kSkipped;
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kSkipped;
    if (::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=256k") != 0) return kSkipped;
    return overfill(folder / "t.safetensors", "No space left on device");
  });
  if (code == kSkipped) {
    WARN("not allowed to mount a tmpfs here; the file size limit above covers the same path");
  } else {
    REQUIRE(code == 0);
  }
}
