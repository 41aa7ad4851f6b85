// Any message is read for reports and verified; what is told of it is harmless text.
#include <cstdlib>

#include "base/ascii.hpp"
#include "message/inert.hpp"
#include "message/report_reader.hpp"
#include "message/verify.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const facteur::Bytes text(reinterpret_cast<const char*>(bytes), count);
  const auto report = read_report(text);
  if (report.kind == ReportKind::none && !report.recipients.empty()) std::abort();
  for (const auto& one : verify(text)) {
    if (one.what.empty() || one.count == 0) std::abort();
    for (const char c : one.detail) {
      if (facteur::ascii::is_control(c)) std::abort();
    }
  }
  for (const char c : inert_text(text)) {
    if (facteur::ascii::is_control(c)) std::abort();
  }
  return 0;
}
