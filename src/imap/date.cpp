#include "imap/date.hpp"

#include <array>
#include <chrono>

#include "base/ascii.hpp"

namespace facteur::imap {
namespace {

constexpr std::array<Bytes, 12> month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

unsigned month_number(Bytes name) {
  for (unsigned i = 0; i < month_names.size(); ++i) {
    if (ascii::equal_ignoring_case(name, month_names[i])) return i + 1;
  }
  return 0;
}

std::optional<std::int32_t> valid_day(Bytes day, Bytes month, Bytes year) {
  const auto d = ascii::number<unsigned>(day);
  const auto y = ascii::number<int>(year);
  const unsigned m = month_number(month);
  if (!d || !y || m == 0 || year.size() != 4 || *y == 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*y), std::chrono::month(m), std::chrono::day(*d)};
  if (!date.ok()) return std::nullopt;
  return days_from_civil(*y, m, *d);
}

void append_two(std::string& out, unsigned value) {
  out += static_cast<char>('0' + value / 10);
  out += static_cast<char>('0' + value % 10);
}

}  // namespace

std::int32_t days_from_civil(int year, unsigned month, unsigned day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  return static_cast<std::int32_t>(std::chrono::sys_days(date).time_since_epoch().count());
}

std::optional<std::int32_t> parse_date(Bytes text) {
  const auto first = text.find('-');
  if (first != 1 && first != 2) return std::nullopt;
  if (text.size() != first + 9 || text[first + 4] != '-') return std::nullopt;
  return valid_day(text.substr(0, first), text.substr(first + 1, 3), text.substr(first + 5));
}

std::optional<UtcTime> parse_date_time(Bytes text) {
  // RFC 9051 §9: date-day-fixed is SP DIGIT or two digits.
  if (text.size() != 26 || text[2] != '-' || text[6] != '-' || text[11] != ' ' || text[14] != ':' || text[17] != ':' ||
      text[20] != ' ' || (text[21] != '+' && text[21] != '-')) {
    return std::nullopt;
  }
  const auto day =
      valid_day(text.substr(text[0] == ' ' ? 1 : 0, text[0] == ' ' ? 1 : 2), text.substr(3, 3), text.substr(7, 4));
  const auto hour = ascii::number<int>(text.substr(12, 2));
  const auto minute = ascii::number<int>(text.substr(15, 2));
  const auto second = ascii::number<int>(text.substr(18, 2));
  const auto zone_hours = ascii::number<int>(text.substr(22, 2));
  const auto zone_minutes = ascii::number<int>(text.substr(24, 2));
  if (!day || !hour || !minute || !second || !zone_hours || !zone_minutes) return std::nullopt;
  if (*hour > 23 || *minute > 59 || *second > 60 || *zone_minutes > 59) return std::nullopt;
  const std::int64_t offset = (*zone_hours * 60 + *zone_minutes) * 60 * (text[21] == '-' ? -1 : 1);
  const std::int64_t seconds = *day * std::int64_t{86400} + *hour * 3600 + *minute * 60 + *second - offset;
  return UtcTime{seconds * 1000};
}

void append_date_time(std::string& out, UtcTime time) {
  const auto day = day_of(time);
  const auto second = static_cast<unsigned>(time.seconds() - std::int64_t{day} * 86400);
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  const auto d = static_cast<unsigned>(date.day());
  if (d < 10) {
    out += ' ';
    out += static_cast<char>('0' + d);
  } else {
    append_two(out, d);
  }
  out += '-';
  out += month_names[static_cast<unsigned>(date.month()) - 1];
  out += '-';
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  append_two(out, year / 100 % 100);
  append_two(out, year % 100);
  out += ' ';
  append_two(out, second / 3600);
  out += ':';
  append_two(out, second / 60 % 60);
  out += ':';
  append_two(out, second % 60);
  out += " +0000";
}

std::string to_date_time(UtcTime time) {
  std::string out;
  append_date_time(out, time);
  return out;
}

}  // namespace facteur::imap
