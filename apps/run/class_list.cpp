#include "apps/run/class_list.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "tensor/error.h"

namespace tailseg {

ClassList ClassList::of(const AnnotationSet& set) {
  ClassList list;
  for (const Category& category : set.categories) {
    list.ids.push_back(category.id);
    list.names.push_back(category.name);
  }
  return list;
}

std::string ClassList::json() const {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  writer.StartArray();
  for (size_t i = 0; i < ids.size(); ++i) {
    writer.StartArray();
    writer.Int64(ids[i]);
    writer.String(names[i].data(), static_cast<rapidjson::SizeType>(names[i].size()));
    writer.EndArray();
  }
  writer.EndArray();
  return {buffer.GetString(), buffer.GetSize()};
}

ClassList ClassList::parse(const std::string& json, const std::string& source) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  TS_CHECK(!document.HasParseError() && document.IsArray(), source, ": the list of classes is not readable");
  ClassList list;
  for (const auto& entry : document.GetArray()) {
    TS_CHECK(entry.IsArray() && entry.Size() == 2 && entry[0].IsInt64() && entry[1].IsString(), source,
             ": the list of classes is not readable");
    list.ids.push_back(entry[0].GetInt64());
    list.names.emplace_back(entry[1].GetString(), entry[1].GetStringLength());
  }
  return list;
}

}  // namespace tailseg
