// The tree keeps the rules of the house, and the checks find what breaks them.
#include <catch2/catch.hpp>
#include <cstdint>
#include <numeric>

#include "tests/tree/rules.h"

using namespace tailseg::tree;
namespace fs = std::filesystem;

namespace {

const Sources& tree() {
  static const Sources sources = read_tree(TAILSEG_SOURCE_DIR);
  return sources;
}

std::string joined(const Findings& findings) {
  std::string out;
  for (const std::string& finding : findings) out += "\n  " + finding;
  return out;
}

// The rule finds nothing in the tree.
void require_kept(const Findings& findings) {
  INFO(joined(findings));
  REQUIRE(findings.empty());
}

}  // namespace

TEST_CASE("the tree was read") {
  REQUIRE(tree().size() > 30);
  REQUIRE(std::any_of(tree().begin(), tree().end(), [](const Source& s) { return s.path == "tensor/group.h"; }));
}

TEST_CASE("comments and literals are not code") {
  REQUIRE(code_only("a // b\nc") == "a     \nc");
  REQUIRE(code_only("a /* b\n */ c") == "a     \n    c");
  REQUIRE(code_only("f(\"<<<\\\"x\", 'y', 1'000)") == "f(\"      \", ' ', 1'000)");
  REQUIRE(code_only("R\"(a \" b)\" c") == "R\"       \" c");
}

TEST_CASE("compiler macros live in three headers") {
  REQUIRE(compiler_macros({{"nn/x.h", "#if defined(__CUDACC__)\n#endif\n"}}).size() == 1);
  REQUIRE(compiler_macros({{"nn/x.cu", "int a;\n#ifdef __CUDA_ARCH__\n"}}) ==
          Findings{"nn/x.cu:2: '__CUDA_ARCH__' belongs in tensor/'s group, launch and math headers"});
  REQUIRE(compiler_macros({{"tensor/math.h", "#if defined(__CUDACC__)\n"}, {"nn/x.h", "// __CUDACC__\n"}}).empty());
  require_kept(compiler_macros(tree()));
}

TEST_CASE("only the launcher launches") {
  REQUIRE(kernel_launches({{"detection/x.cu", "k<<<1, 32>>>(a);\n"}}).size() == 1);
  REQUIRE(kernel_launches({{"tensor/launch.h", "k<<<1, 32>>>(a);\n"}}).empty());
  require_kept(kernel_launches(tree()));
}

TEST_CASE("no lambda is a kernel") {
  REQUIRE(lambdas_as_kernels({{"nn/x.cu", "for_each_item(ctx, n, [=] TS_HD(int i) {});"}}).size() == 1);
  REQUIRE(lambdas_as_kernels({{"nn/x.cu", "for_each_item(ctx, n, [=](auto g, int64_t i) { x[i] = 0; });"}}).size() ==
          1);
  REQUIRE(lambdas_as_kernels({{"nn/x.cu", "for_each_item(ctx, n[0], RowSum<float>{x, y[1], n});"}}).empty());
  require_kept(lambdas_as_kernels(tree()));
}

TEST_CASE("nothing below apps prints or exits") {
  REQUIRE(printing_and_exits({{"nn/x.cpp", "std::cout << 1;"}}).size() == 1);
  REQUIRE(printing_and_exits({{"nn/x.cpp", "if (bad) exit(1);\nstd::printf(s);\nabort();"}}).size() == 3);
  REQUIRE(
      printing_and_exits({{"apps/x.cpp", "std::cout << 1;"}, {"nn/x.cpp", "snprintf(s, 3, f); on_exit(2);"}}).empty());
  require_kept(printing_and_exits(tree()));
}

TEST_CASE("includes point down the rooms only, from the room's name") {
  REQUIRE(include_direction({{"tensor/x.h", "#include \"autograd/variable.h\"\n"}}).size() == 1);
  REQUIRE(include_direction({{"datasets/x.h", "#include \"nn/module.h\"\n"}}).size() == 1);
  REQUIRE(include_direction({{"nn/x.h", "#include \"module.h\"\n"}}).size() == 1);
  REQUIRE(include_direction({{"nn/x.h", "#include \"tests/crew.h\"\n"}}).size() == 1);
  REQUIRE(include_direction({{"detection/x.h", "#include \"nn/module.h\"\n#include <vector>\n"}}).empty());
  require_kept(include_direction(tree()));
}

TEST_CASE("third-party headers stay in .cpp files") {
  REQUIRE(third_party_headers({{"tensor/x.cu", "#include <dnnl.hpp>\n"}}).size() == 1);
  const Source json("datasets/x.h", "#include <rapidjson/reader.h>\n");
  REQUIRE(third_party_headers({json, {"datasets/y.h", "#include \"datasets/x.h\"\n"}}).size() == 1);
  REQUIRE(third_party_headers({json, {"datasets/y.cu", "#include \"datasets/x.h\"\n"}}).size() == 1);
  REQUIRE(third_party_headers({json, {"datasets/y.cpp", "#include \"datasets/x.h\"\n"}}).empty());
  REQUIRE(
      third_party_headers({{"tensor/x.cu", "#include <vector>\n#include <cuda_runtime.h>\n#include <cub/cub.cuh>\n"}})
          .empty());
  require_kept(third_party_headers(tree()));
}

TEST_CASE("every body is run by a crew") {
  const Source body("nn/x_body.h", "");
  REQUIRE(bodies_without_crew({body}).size() == 1);
  REQUIRE(bodies_without_crew({body, {"tests/nn/x_test.cpp", "#include \"nn/x_body.h\"\n"}}).size() == 1);
  REQUIRE(bodies_without_crew({body, {"tests/nn/x_test.cpp", "#include \"nn/x_body.h\"\n#include \"tests/crew.h\"\n"}})
              .empty());
  REQUIRE(bodies_without_crew({body,
                               {"tests/same.h", "#include \"tests/crew.h\"\n"},
                               {"tests/nn/x_test.cpp", "#include \"nn/x_body.h\"\n#include \"tests/same.h\"\n"}})
              .empty());
  require_kept(bodies_without_crew(tree()));
}

TEST_CASE("no two files define a type of one name in namespace tailseg") {
  const Source image{"datasets/image.h", "namespace tailseg {\nstruct Image {\n  int width;\n};\n}\n"};
  const auto with = [&](const std::string& code) { return types_of_two_rooms({image, {"tensor/x.h", code}}).size(); };
  REQUIRE(with("namespace tailseg {\ntemplate <class T>\nclass Image final : public Base {\n};\n}\n") == 1);
  REQUIRE(with("namespace tailseg {\nenum class Image : unsigned char {\n  a\n};\n}\n") == 1);
  REQUIRE(with("namespace tailseg {\nvoid f() {\n  if (a) { b(); }\n}\nstruct Image {};\n}\n") == 1);
  REQUIRE(with("namespace tailseg {\nstruct Image;\nvoid f(struct Image* x) { x; }\n}\n") == 0);
  REQUIRE(with("namespace tailseg::winograd {\nstruct Image {};\n}\n") == 0);
  REQUIRE(with("namespace tailseg {\nnamespace {\nstruct Image {};\n}\n}\n") == 0);
  REQUIRE(with("namespace tailseg {\nstruct Outer {\n  struct Image {};\n};\n}\n") == 0);
  REQUIRE(types_in_namespace({"nn/x.h", "#define A {\nnamespace tailseg {\nstruct B {};\nenum C : int { c };\n}\n"}) ==
          std::vector<std::string>{"B", "C"});
  REQUIRE(std::accumulate(tree().begin(), tree().end(), size_t{0}, [](size_t sum, const Source& source) {
            return sum + types_in_namespace(source).size();
          }) > 200);
  require_kept(types_of_two_rooms(tree()));
}

TEST_CASE("nothing is marked as unfinished") {
  REQUIRE(unfinished_work({{"nn/x.h", std::string("int a;\n// TO") + "DO: b\n"}}).size() == 1);
  require_kept(unfinished_work(tree()));
}

TEST_CASE("files and functions are of a size that can be read") {
  std::string lines;
  for (int i = 0; i < 70; ++i) lines += "  a();\n";
  REQUIRE(long_files({{"nn/x.cpp", lines}}, 69).size() == 1);
  REQUIRE(long_files({{"nn/x.cpp", lines}}, 70).empty());
  REQUIRE(long_functions({{"nn/x.cpp", "void f(int a) const {\n" + lines + "}\n"}}, 60).size() == 1);
  REQUIRE(long_functions({{"nn/x.cpp", "A::A(int a)\n    : a_(a) {\n" + lines + "}\n"}}, 60).size() == 1);
  REQUIRE(long_functions({{"nn/x.cpp", "A::A(int a)\n    : a_(a) {\n  b();\n}\n" + lines + "}\n"}}, 60).empty());
  REQUIRE(long_functions({{"nn/x.cpp", "void f() {\n}\nstruct A {\n" + lines + "};\n"}}, 60).empty());
  if (const Findings report = long_files(tree(), 300); !report.empty()) WARN("over 300 lines:" << joined(report));
  if (const Findings report = long_functions(tree(), 60); !report.empty()) WARN("over 60 lines:" << joined(report));
  require_kept(long_files(tree(), 450));
  require_kept(long_functions(tree(), 120));
}

TEST_CASE("the root holds the rooms and little else") {
  const std::set<std::string> files = {"CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE"};
  for (const fs::directory_entry& entry : fs::directory_iterator(TAILSEG_SOURCE_DIR)) {
    const std::string name = entry.path().filename().string();
    if (!is_source_entry(name)) continue;
    INFO(name);
    REQUIRE((entry.is_directory() ? is_room(name) || name == "tests" : files.count(name) > 0));
  }
}

TEST_CASE("every folder with sources explains itself") {
  // tests/<room> mirrors the room, and tests/README.md says so; data folders below golden/ and fuzz/ are told there.
  std::set<std::string> folders = {"", "tests", "tests/golden", "apps/configs"};
  for (const Source& source : tree()) {
    const std::string folder = fs::path(source.path).parent_path().generic_string();
    const bool mirror = folder.rfind("tests/", 0) == 0 && is_room(folder.substr(6, folder.find('/', 6) - 6));
    if (!mirror) folders.insert(folder);
  }
  Findings missing;
  for (const std::string& folder : folders) {
    const fs::path path = fs::path(TAILSEG_SOURCE_DIR) / folder;
    if (fs::exists(path) && !fs::exists(path / "README.md")) missing.push_back(folder + "/README.md is missing");
  }
  require_kept(missing);
}

TEST_CASE("what the READMEs point to exists") {
  Findings broken;
  for (const auto& [path, text] : read_readmes(TAILSEG_SOURCE_DIR)) {
    if (path.rfind("tests/golden/", 0) == 0) continue;  // these describe data, by names within and outside the folder
    for (const std::string& pointer : pointers(text)) {
      if (pointer == "apps/pictures/demo.png") continue;  // the demo's own output
      const fs::path root = TAILSEG_SOURCE_DIR, folder = (root / path).parent_path();
      if (!fs::exists(root / pointer) && !fs::exists(folder / pointer)) broken.push_back(path + ": " + pointer);
    }
  }
  REQUIRE(pointers("`nn/a.h`, [b](c/README.md), `x_body.h`, `d.{h,cpp}`, `make it`, [w](https://a.org/b.h)") ==
          std::vector<std::string>{"nn/a.h", "c/README.md"});
  require_kept(broken);
}

TEST_CASE("every config is explained") {
  const fs::path root = TAILSEG_SOURCE_DIR, configs = root / "apps" / "configs";
  if (!fs::exists(configs)) return;
  const std::string told = read_text(root / "README.md") + read_text(configs / "README.md");
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(configs)) {
    if (entry.path().extension() != ".toml") continue;
    if (entry.path().filename().string().starts_with("base")) continue;  // what the others of its folder refine
    const std::string name = fs::relative(entry.path(), configs).generic_string();
    INFO(name << " is named neither in README.md nor in apps/configs/README.md");
    const bool named = told.find(name) != std::string::npos;
    REQUIRE(named);
  }
}
