// Any header has a trace, and the trace has texts without control octets.
#include <cstdlib>
#include <string>

#include "base/ascii.hpp"
#include "message/trace.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const auto trace = analyse_trace(std::string_view(reinterpret_cast<const char*>(bytes), count));
  for (const auto& text :
       {write_trace(trace, Language::english), write_trace(trace, Language::french), write_trace_json(trace)}) {
    for (const char c : text) {
      if (facteur::ascii::is_control(c) && c != '\n') std::abort();
    }
  }
  return 0;
}
