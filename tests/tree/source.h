// A source file as the house rules see it: its path from the root, its code without comments and literals, and what it
// includes.
#pragma once

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace tailseg::tree {

// Replaces comments, and the inside of string and character literals, by spaces; line breaks stay.
inline std::string code_only(const std::string& text) {
  std::string out = text;
  const auto blank = [&out](size_t begin, size_t end) {
    for (size_t i = begin; i < end && i < out.size(); ++i) {
      if (out[i] != '\n') out[i] = ' ';
    }
  };
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  for (size_t i = 0; i < text.size();) {
    size_t end = i + 1;
    if (text.compare(i, 2, "//") == 0) {
      end = std::min(text.find('\n', i), text.size());
      blank(i, end);
    } else if (text.compare(i, 2, "/*") == 0) {
      const size_t close = text.find("*/", i + 2);
      end = close == std::string::npos ? text.size() : close + 2;
      blank(i, end);
    } else if (text.compare(i, 2, "R\"") == 0 && (i == 0 || !is_word(text[i - 1]))) {
      const size_t open = std::min(text.find('(', i), text.size());
      const std::string closing = ")" + text.substr(i + 2, open - i - 2) + "\"";
      const size_t close = text.find(closing, open);
      end = close == std::string::npos ? text.size() : close + closing.size();
      blank(i + 2, end - 1);
    } else if (text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_word(text[i - 1])))) {  // not 1'000
      while (end < text.size() && text[end] != text[i] && text[end] != '\n') end += text[end] == '\\' ? 2 : 1;
      blank(i + 1, end);
      ++end;
    }
    i = end;
  }
  return out;
}

struct Source {
  std::string path;  // "tensor/group.h"
  std::string text;
  std::string code;                   // code_only(text)
  std::vector<std::string> includes;  // as written, with their quotes or angle brackets

  Source(std::string file_path, std::string file_text)
      : path(std::move(file_path)), text(std::move(file_text)), code(code_only(text)) {
    static const std::regex include(R"(^[ \t]*#[ \t]*include[ \t]*(<[^>\n]+>|"[^"\n]+"))", std::regex::multiline);
    for (std::sregex_iterator it(text.begin(), text.end(), include), end; it != end; ++it) {
      includes.push_back((*it)[1].str());
    }
  }

  std::string room() const { return path.substr(0, path.find('/')); }
  bool ends_with(const std::string& suffix) const {
    return path.size() >= suffix.size() && path.compare(path.size() - suffix.size(), suffix.size(), suffix) == 0;
  }
  bool includes_quoted(const std::string& header) const {
    return std::find(includes.begin(), includes.end(), "\"" + header + "\"") != includes.end();
  }
  size_t lines() const { return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')); }
  size_t line_of(size_t offset) const {
    return 1 + static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
  }
};

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Is this entry of the root somebody's source? Not hidden, not a build, not a run.
inline bool is_source_entry(const std::string& name) {
  return name[0] != '.' && name.rfind("build", 0) != 0 && name != "runs" && name != "compile_commands.json";
}

// Every C++ and CUDA file below the root, in order of path.
inline std::vector<Source> read_tree(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  std::vector<Source> sources;
  for (const fs::directory_entry& top : fs::directory_iterator(root)) {
    if (!top.is_directory() || !is_source_entry(top.path().filename().string())) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(top)) {
      const std::string extension = entry.path().extension().string();
      if (!entry.is_regular_file() || (extension != ".h" && extension != ".cpp" && extension != ".cu")) continue;
      sources.emplace_back(fs::relative(entry.path(), root).generic_string(), read_text(entry.path()));
    }
  }
  std::sort(sources.begin(), sources.end(), [](const Source& a, const Source& b) { return a.path < b.path; });
  return sources;
}

// Every README.md below the root: path and text.
inline std::vector<std::pair<std::string, std::string>> read_readmes(const std::filesystem::path& root) {
  namespace fs = std::filesystem;
  std::vector<std::pair<std::string, std::string>> readmes{{"README.md", read_text(root / "README.md")}};
  for (const fs::directory_entry& top : fs::directory_iterator(root)) {
    if (!top.is_directory() || !is_source_entry(top.path().filename().string())) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(top)) {
      if (entry.path().filename() == "README.md") {
        readmes.emplace_back(fs::relative(entry.path(), root).generic_string(), read_text(entry.path()));
      }
    }
  }
  return readmes;
}

// The files of the tree that a README names: `name.ext` in backticks, and link targets. x.h stands for any stem, DIR
// for any folder.
inline std::vector<std::string> pointers(const std::string& readme) {
  static const std::regex pointer(R"(`([\w/.-]+\.(h|cpp|cu|sh|toml|md))`|\]\(([\w/.-]+)\))");
  std::vector<std::string> found;
  for (std::sregex_iterator it(readme.begin(), readme.end(), pointer), end; it != end; ++it) {
    const std::string name = (*it)[1].matched ? (*it)[1].str() : (*it)[3].str();
    const std::string stem = name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1);
    if (name.rfind("DIR/", 0) != 0 && stem.rfind("x.", 0) != 0 && stem.rfind("x_", 0) != 0) found.push_back(name);
  }
  return found;
}

}  // namespace tailseg::tree
