// What is left of an earlier set in a folder, so that a new one replaces it and nothing else.
#pragma once

#include <string>
#include <vector>

namespace tailseg::synthetic {

struct OldSet {
  std::vector<std::string> annotations;  // paths
  std::vector<std::string> pictures;     // paths of those that the annotations name
};

// Reads DIR/annotations/train.json and val.json, those that are there. Throws Error for a file that is no annotation
// file of write_lvis_file: another program's set is not ours to replace.
OldSet read_old_set(const std::string& folder);

// Annotations first: they must not describe pictures that are gone.
void remove_old_set(const OldSet& set);

}  // namespace tailseg::synthetic
