#include "apps/report/html.h"

#include <cmath>
#include <cstdio>

namespace tailseg {

std::string html_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += c == '\n' || c == '\t' ? " " : "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
  return out;
}

std::string script_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || c == '<' || c == '>' || c == '&' || c == '"' || c == '\\' || c == '\'' || byte == 0x7f) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", byte);
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string fixed_text(double value, int digits) {
  if (!std::isfinite(value)) return "-";
  char text[400];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::string short_text(double value) {
  if (!std::isfinite(value)) return "-";
  char text[32];
  const double size = std::abs(value);
  std::snprintf(text, sizeof text, size >= 1e4 && size < 1e9 && value == std::floor(value) ? "%.0f" : "%.4g", value);
  return text;
}

}  // namespace tailseg
