// Any date that is read is written and read again as the same.
#include <cstdlib>
#include <string>

#include "message/date.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  using namespace facteur::message;
  const std::string_view text(reinterpret_cast<const char*>(bytes), count);
  (void)parse_imap_date(text);
  for (const auto& date : {parse_date(text), parse_internal_date(text)}) {
    if (!date) continue;
    // Times near the ends of the calendar fall out of the years 0 to 9999 in another zone.
    const Day day = day_of(date->time, date->offset_minutes);
    if (day.year < 1000 || day.year > 9998) continue;
    const auto again = parse_date(write_date(date->time, date->offset_minutes));
    if (!again || again->time != date->time) std::abort();
    const auto internal = parse_internal_date(write_internal_date(date->time, date->offset_minutes));
    if (!internal || internal->time != date->time) std::abort();
  }
  return 0;
}
