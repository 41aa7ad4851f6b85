// Any header has a trace, and the trace has texts of UTF-8 without control octets.
#include <cstdlib>
#include <string>

#include "base/ascii.hpp"
#include "message/charset.hpp"
#include "message/trace.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const auto trace = analyse_trace(std::string_view(reinterpret_cast<const char*>(bytes), count));
  const std::string json = write_trace_json(trace);
  if (!is_utf8(json)) std::abort();
  for (std::size_t i = 0; i < json.size(); i += json[i] == '\\' ? 2 : 1) {
    if (std::string_view(json).substr(i).starts_with("\\u000a")) std::abort();  // A line end could forge lines.
  }
  for (const auto& text : {write_trace(trace, Language::english), write_trace(trace, Language::french), json}) {
    for (const char c : text) {
      if (facteur::ascii::is_control(c) && c != '\n') std::abort();
    }
  }
  return 0;
}
