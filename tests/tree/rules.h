// The rules of the house that a program can check. Each takes sources and returns what breaks it, one line a finding,
// so that a test can hand it a bad snippet and see that it is found.
#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "tests/tree/source.h"

namespace tailseg::tree {

using Sources = std::vector<Source>;
using Findings = std::vector<std::string>;

inline const std::vector<std::string> kRooms = {"tensor", "autograd", "nn", "detection", "datasets", "apps"};

inline bool is_room(const std::string& name) { return std::find(kRooms.begin(), kRooms.end(), name) != kRooms.end(); }

// Every match of `pattern` in the code of the sources that `where` accepts.
template <class Where>
Findings forbid(const Sources& sources, const std::string& pattern, const std::string& why, Where where) {
  const std::regex expression(pattern);
  Findings found;
  for (const Source& source : sources) {
    if (!where(source)) continue;
    for (std::sregex_iterator it(source.code.begin(), source.code.end(), expression), end; it != end; ++it) {
      const size_t line = source.line_of(static_cast<size_t>(it->position()));
      found.push_back(source.path + ":" + std::to_string(line) + ": '" + it->str() + "' " + why);
    }
  }
  return found;
}

inline Findings compiler_macros(const Sources& sources) {
  static const std::set<std::string> allowed = {"tensor/group.h", "tensor/launch.h", "tensor/math.h"};
  return forbid(sources, "__CUDACC__|__CUDA_ARCH__", "belongs in tensor/'s group, launch and math headers",
                [](const Source& s) { return allowed.count(s.path) == 0; });
}

inline Findings kernel_launches(const Sources& sources) {
  static const std::set<std::string> allowed = {"tensor/launch.h", "tensor/sort_cuda.cu"};
  return forbid(sources, "<<<", "belongs in the launcher: use for_each_item (tensor/launch.h)",
                [](const Source& s) { return allowed.count(s.path) == 0; });
}

inline Findings lambdas_as_kernels(const Sources& sources) {
  return forbid(sources, R"(for_each_item\w*\s*\([^;{]*[,(]\s*\[[^\]]*\]\s*(\(|\{|TS_HD|__host__|__device__))",
                "a body is a named struct, not a lambda", [](const Source&) { return true; });
}

// The allocator may abort: a guard band that was written over is found in a destructor, with memory already corrupt.
inline Findings printing_and_exits(const Sources& sources) {
  return forbid(
      sources,
      R"(std::(cout|cerr|clog)\b|(^|[^\w.>])(printf|fprintf|puts|fputs|putchar|exit|_exit|quick_exit|abort)\s*\()",
      "only apps/ prints or ends the program: throw Error",
      [](const Source& s) { return is_room(s.room()) && s.room() != "apps" && s.path != "tensor/allocator.cpp"; });
}

inline Findings include_direction(const Sources& sources) {
  static const std::map<std::string, std::set<std::string>> knows = {
      {"tensor", {"tensor"}},
      {"autograd", {"tensor", "autograd"}},
      {"nn", {"tensor", "autograd", "nn"}},
      {"detection", {"tensor", "autograd", "nn", "detection"}},
      {"datasets", {"tensor", "datasets"}},
      {"apps", {"tensor", "autograd", "nn", "detection", "datasets", "apps"}},
      {"tests", {"tensor", "autograd", "nn", "detection", "datasets", "apps", "tests"}},
  };
  Findings found;
  for (const Source& source : sources) {
    const auto known = knows.find(source.room());
    if (known == knows.end() || source.path.rfind("tests/consumer/", 0) == 0) continue;
    for (const std::string& include : source.includes) {
      if (include[0] != '"') continue;
      const std::string room = include.substr(1, include.find('/') == std::string::npos ? 0 : include.find('/') - 1);
      if (known->second.count(room) == 0) {
        found.push_back(source.path + ": " + include + " is not a header of a room that " + source.room() +
                        "/ knows, written from its room's name");
      }
    }
  }
  return found;
}

// Headers of the C++ standard library have no dot; those of CUDA begin with cu. C's and the system's are few.
inline bool is_third_party(const std::string& include) {
  static const std::regex own(R"(<(cu[a-z]+_?[a-z0-9_]*\.h|cub/.*|[a-z_]+|(sys|netinet|arpa)/[a-z]+\.h|)"
                              R"((fcntl|unistd|dirent|signal|sched|pthread|immintrin|cxxabi|dlfcn|termios)\.h)>)");
  return include[0] == '<' && !std::regex_match(include, own);
}

// nvcc chokes on several libraries, so no .cu file may reach one. A header that names one is for .cpp files alone: no
// other header hands it on, but for tensor/onednn_*.h, which are private to that library's translation units.
inline Findings third_party_headers(const Sources& sources) {
  Findings found;
  for (const Source& source : sources) {
    if (!is_room(source.room()) || source.ends_with(".cpp")) continue;
    for (const std::string& include : source.includes) {
      if (!is_third_party(include)) continue;
      if (source.ends_with(".cu")) found.push_back(source.path + ": " + include + " in a file for nvcc");
      for (const Source& reader : sources) {
        const bool one_family = reader.path.starts_with("tensor/onednn_") && source.path.starts_with("tensor/onednn_");
        if (!reader.ends_with(".cpp") && !one_family && reader.includes_quoted(source.path)) {
          found.push_back(reader.path + ": reaches " + include + " through " + source.path);
        }
      }
    }
  }
  return found;
}

// A test includes the body's header and, itself or through a header of tests/, the crew.
inline Findings bodies_without_crew(const Sources& sources) {
  const std::string crew = "tests/crew.h";
  std::set<std::string> crew_headers = {crew};
  for (const Source& source : sources) {
    if (source.room() == "tests" && source.ends_with(".h") && source.includes_quoted(crew)) {
      crew_headers.insert(source.path);
    }
  }
  const auto runs_crew = [&](const Source& source) {
    return source.ends_with("_test.cpp") && std::any_of(crew_headers.begin(), crew_headers.end(),
                                                        [&](auto& header) { return source.includes_quoted(header); });
  };
  Findings found;
  for (const Source& body : sources) {
    if (!is_room(body.room()) || !body.ends_with("_body.h")) continue;
    const bool tested = std::any_of(sources.begin(), sources.end(), [&](const Source& source) {
      return runs_crew(source) && source.includes_quoted(body.path);
    });
    if (!tested) found.push_back(body.path + ": no *_test.cpp includes it together with " + crew);
  }
  return found;
}

// The types that a file defines directly in namespace tailseg: not those of namespaces within it, without a name, or of
// other types. Braces are followed one by one; what stands before one says what it opens.
inline std::vector<std::string> types_in_namespace(const Source& source) {
  static const std::regex type(R"((struct|class|enum)\b(?:\s+(?:struct|class))?(?:\s+alignas\([^)]*\))?\s+(\w+)\s*)"
                               R"((?:final\s*)?(:[^:].*)?$)");
  static const std::regex space(R"(namespace\s*([\w:]*)\s*$)");
  std::vector<std::string> types, open;
  std::string head;  // since the last brace or semicolon
  std::istringstream lines(source.code);
  for (std::string line; std::getline(lines, line);) {
    if (const size_t first = line.find_first_not_of(' '); first != std::string::npos && line[first] == '#') continue;
    for (const char c : line + " ") {
      if (c != '{' && c != '}' && c != ';') {
        head += c;
        continue;
      }
      std::smatch match;
      if (c == '{') {
        const bool here = open == std::vector<std::string>{"tailseg"};
        if (std::regex_search(head, match, space)) {
          open.push_back(match[1]);
        } else {
          // A specialisation is another room's business: "template <> struct X<int>" does not match.
          if (here && std::regex_search(head, match, type)) types.push_back(match[2]);
          open.push_back("{");
        }
      } else if (c == '}' && !open.empty()) {
        open.pop_back();
      }
      head.clear();
    }
  }
  return types;
}

// Two definitions of one name in one namespace are one type to the linker, which takes either's functions for both.
inline Findings types_of_two_rooms(const Sources& sources) {
  std::map<std::string, const Source*> owner;
  Findings found;
  for (const Source& source : sources) {
    if (!is_room(source.room())) continue;
    for (const std::string& type : types_in_namespace(source)) {
      const auto [known, is_new] = owner.emplace(type, &source);
      if (!is_new && known->second->path != source.path) {
        found.push_back(source.path + ": " + type + " is also a type of " + known->second->path);
      }
    }
  }
  return found;
}

inline Findings unfinished_work(const Sources& sources) {
  Findings found;
  const std::regex words(std::string("\\b(TO") + "DO|FIX" + "ME|XX" + "X)\\b");
  for (const Source& source : sources) {
    if (std::smatch match; std::regex_search(source.text, match, words)) {
      found.push_back(source.path + ":" + std::to_string(source.line_of(static_cast<size_t>(match.position()))) +
                      ": unfinished work is finished or left out, not marked");
    }
  }
  return found;
}

inline Findings long_files(const Sources& sources, size_t limit) {
  Findings found;
  for (const Source& source : sources) {
    if (source.lines() > limit) found.push_back(source.path + ": " + std::to_string(source.lines()) + " lines");
  }
  return found;
}

// Functions longer than `limit` lines. Reads clang-format's layout: a head ends in ") {" (with qualifiers), the first
// line of its body says how far the body is indented, and the first "}" two less far in closes it.
inline Findings long_functions(const Sources& sources, size_t limit) {
  static const std::regex head(R"(^ *(?!namespace|class|struct|if|for|while|switch|TEST_CASE|\}|#)\S.*\)[^;()]*\{$)");
  Findings found;
  for (const Source& source : sources) {
    std::istringstream lines(source.code);
    std::string line, name, close;
    size_t begin = 0, number = 0;
    enum { outside, head_read, inside } state = outside;
    while (std::getline(lines, line)) {
      ++number;
      const size_t indent = line.find_first_not_of(' ');
      if (indent == std::string::npos) continue;
      if (state == outside && std::regex_match(line, head)) {
        state = head_read;
        begin = number;
        name = line.substr(indent, 60);
      } else if (state == head_read) {
        state = line[indent] == '}' || indent < 2 ? outside : inside;
        if (state == inside) close = std::string(indent - 2, ' ') + "}";
      } else if (state == inside && line.rfind(close, 0) == 0) {
        state = outside;
        const size_t length = number - begin;
        if (length > limit) {
          found.push_back(source.path + ":" + std::to_string(begin) + ": " + std::to_string(length) +
                          " lines: " + name);
        }
      }
    }
  }
  return found;
}

}  // namespace tailseg::tree
