// Dates of IMAP (RFC 9051 §9 date, date-time): calendar arithmetic without a library or a time zone of the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace facteur::imap {

// "1-Feb-1994" or "01-Feb-1994": days since 1970-01-01; nullopt if it is no date of the calendar.
std::optional<std::int32_t> parse_date(Bytes text);

// " 1-Feb-1994 21:52:25 -0800" (26 characters, without the quotes); nullopt if malformed.
std::optional<UtcTime> parse_date_time(Bytes text);

// Always in UTC: " 1-Feb-1994 05:52:25 +0000", 26 characters.
std::string to_date_time(UtcTime time);
void append_date_time(std::string& out, UtcTime time);

// Days since 1970-01-01, rounded down.
constexpr std::int32_t day_of(UtcTime time) {
  const auto seconds = time.seconds();
  return static_cast<std::int32_t>(seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400));
}

// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
std::int32_t days_from_civil(int year, unsigned month, unsigned day);

}  // namespace facteur::imap
