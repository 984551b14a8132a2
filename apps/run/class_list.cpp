#include "apps/run/class_list.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "apps/config/model_options.h"
#include "tensor/error.h"

namespace tailseg {

namespace {

using Json = rapidjson::Value;

bool is_row(const Json& row, bool counted) {
  return row.IsArray() && row.Size() == (counted ? 4 : 2) && row[0].IsInt64() && row[1].IsString() &&
         (!counted || (row[2].IsInt64() && row[3].IsInt64()));
}

}  // namespace

ClassList ClassList::of(const AnnotationSet& set) {
  ClassList list;
  for (const Category& category : set.categories) {
    list.ids.push_back(category.id);
    list.names.push_back(category.name);
  }
  list.statistics = class_statistics(set);
  return list;
}

std::string ClassList::json() const {
  const bool counted = !statistics.images.empty();
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  if (counted) {
    writer.StartObject();
    writer.Key("annotated_images");
    writer.Int64(statistics.annotated_images);
    writer.Key("classes");
  }
  writer.StartArray();
  for (size_t i = 0; i < ids.size(); ++i) {
    writer.StartArray();
    writer.Int64(ids[i]);
    writer.String(names[i].data(), static_cast<rapidjson::SizeType>(names[i].size()));
    if (counted) writer.Int64(statistics.images.at(i));
    if (counted) writer.Int64(statistics.instances.at(i));
    writer.EndArray();
  }
  writer.EndArray();
  if (counted) writer.EndObject();
  return {buffer.GetString(), buffer.GetSize()};
}

ClassList ClassList::parse(const std::string& json, const std::string& source) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  const bool counted = !document.HasParseError() && document.IsObject() && document.HasMember("classes") &&
                       document.HasMember("annotated_images") && document["annotated_images"].IsInt64();
  TS_CHECK(!document.HasParseError() && (document.IsArray() || (counted && document["classes"].IsArray())), source,
           ": the list of classes is not readable");
  ClassList list;
  if (counted) list.statistics.annotated_images = document["annotated_images"].GetInt64();
  for (const Json& row : (counted ? document["classes"] : static_cast<const Json&>(document)).GetArray()) {
    TS_CHECK(is_row(row, counted), source, ": the list of classes is not readable");
    list.ids.push_back(row[0].GetInt64());
    list.names.emplace_back(row[1].GetString(), row[1].GetStringLength());
    if (counted) list.statistics.images.push_back(row[2].GetInt64());
    if (counted) list.statistics.instances.push_back(row[3].GetInt64());
  }
  return list;
}

}  // namespace tailseg
