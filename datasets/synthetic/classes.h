// The classes of a synthetic set: their names, what their objects look like, and how common they are meant to be.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/synthetic/scene.h"

namespace tailseg::synthetic {

struct SyntheticClass {
  std::string name, synset, definition;
  std::vector<std::string> synonyms;
  char frequency = 0;  // as a category file says; 0 when it is to be found from the counts
  double weight = 0;   // share of the train objects, in any unit; 0 when the power law is to say
};

struct ClassList {
  std::vector<SyntheticClass> classes;  // commonest first where the power law is to say
  std::vector<ClassLook> looks;         // point into `outlines`
  std::shared_ptr<const std::vector<Outline>> outlines;
};

// `count` classes of outline x texture ("striped heart"), each with its own usual colour. The first few have different
// outlines; beyond outlines x textures = 152 a colour becomes part of the class ("teal striped heart"), up to 12 times
// as many. `any_colour` makes colour say nothing about the class (up to 152 classes). Throws Error for more.
ClassList shape_classes(int64_t count, bool any_colour);

// `count` classes, one a glyph of the font at `path`; texture and colours say nothing. Throws Error for a font with
// fewer.
ClassList glyph_classes(int64_t count, const std::string& font);

// Names and weights of a category file: a JSON list of LVIS categories, or an object with such a list as "categories"
// (an annotation file). weight is instance_count, else image_count, else 1. Throws Error, naming the entry, for others.
std::vector<SyntheticClass> read_categories(const std::string& path);
// The same from memory; `path` stands for the file in messages.
std::vector<SyntheticClass> parse_categories(std::string_view json, const std::string& path);

}  // namespace tailseg::synthetic
