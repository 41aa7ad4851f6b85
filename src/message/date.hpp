// Dates of messages (RFC 5322 §3.3, obsolete forms §4.3) and of IMAP (RFC 9051 date-time), without the machine's zone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace facteur::message {

struct ZonedTime {
  UtcTime time;
  std::int16_t offset_minutes = 0;  // East of Greenwich: +0200 is 120.
  bool zone_known = true;           // RFC 5322 §3.3: -0000 and unknown names tell nothing of the place.

  friend bool operator==(const ZonedTime&, const ZonedTime&) = default;
};

// A day as SEARCH SENTON and SORT see it.
struct Day {
  std::int32_t year = 1970;
  std::uint8_t month = 1;  // 1 to 12.
  std::uint8_t day = 1;    // 1 to 31.
  friend auto operator<=>(const Day&, const Day&) = default;
};
std::int64_t days_since_1970(Day day);  // May be negative.
Day day_of(UtcTime time, int offset_minutes);

// "Fri, 21 Nov 1997 09:55:06 -0600" and all that RFC 5322 §4.3 still allows: two- and three-digit years, named and
// military zones, comments, no seconds, no day of week; also "Fri Nov 21 09:55:06 1997" (asctime) and a missing zone
// (taken as -0000). nullopt: not a date of years 0 to 9999.
std::optional<ZonedTime> parse_date(Bytes value);

// RFC 5322 §3.3: "Fri, 21 Nov 1997 09:55:06 -0600". Offset in minutes, -5999 to 5999.
std::string write_date(UtcTime time, int offset_minutes);

// RFC 9051 §9 date-time without its quotes: "17-Jul-1996 02:44:25 -0700" (day may be " 1" or "01").
std::optional<ZonedTime> parse_internal_date(Bytes text);
std::string write_internal_date(UtcTime time, int offset_minutes = 0);

// RFC 9051 §9 date, quoted or not: "1-Feb-1994".
std::optional<Day> parse_imap_date(Bytes text);

// RFC 3339 with Z, seconds: "1997-11-21T15:55:06Z"; for JSON and logs.
std::string write_iso_date(UtcTime time);

}  // namespace facteur::message
