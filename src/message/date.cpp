#include "message/date.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "base/ascii.hpp"

namespace facteur::message {
namespace {

constexpr std::array<std::string_view, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> weekdays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

std::optional<unsigned> month_of(Bytes word) {
  if (word.size() < 3) return std::nullopt;
  for (unsigned i = 0; i < months.size(); ++i) {
    if (ascii::equal_ignoring_case(word.substr(0, 3), months[i])) return i + 1;
  }
  return std::nullopt;
}

bool is_weekday(Bytes word) {
  if (word.size() < 3) return false;
  for (const auto day : weekdays) {
    if (ascii::equal_ignoring_case(word.substr(0, 3), day)) return true;
  }
  return false;
}

struct Civil {
  int year = -1;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  int offset = 0;
  bool zone_known = false;
  bool has_time = false;
  bool has_zone = false;
};

std::optional<ZonedTime> to_time(const Civil& civil) {
  using namespace std::chrono;
  const year_month_day date(year(civil.year), month(civil.month), day(civil.day));
  if (civil.year < 0 || civil.year > 9999 || !date.ok()) return std::nullopt;
  if (civil.hour > 23 || civil.minute > 59 || civil.second > 60) return std::nullopt;  // 60: a leap second.
  if (civil.offset < -5999 || civil.offset > 5999) return std::nullopt;
  const std::int64_t days = sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + civil.hour * 3'600 + civil.minute * 60 +
                               (civil.second > 59 ? 59 : civil.second) - civil.offset * std::int64_t{60};
  return ZonedTime{UtcTime{seconds * 1'000}, static_cast<std::int16_t>(civil.offset), civil.zone_known};
}

// RFC 5322 §4.3 obs-zone: names of zones; unknown ones and military letters are -0000.
void set_named_zone(Civil& civil, Bytes name) {
  struct Named {
    std::string_view name;
    int hours;
  };
  static constexpr std::array<Named, 15> zones = {{{"UT", 0},
                                                   {"GMT", 0},
                                                   {"UTC", 0},
                                                   {"Z", 0},
                                                   {"EST", -5},
                                                   {"EDT", -4},
                                                   {"CST", -6},
                                                   {"CDT", -5},
                                                   {"MST", -7},
                                                   {"MDT", -6},
                                                   {"PST", -8},
                                                   {"PDT", -7},
                                                   {"CET", 1},
                                                   {"CEST", 2},
                                                   {"BST", 1}}};
  civil.has_zone = true;
  std::size_t letters = 0;  // "EST5EDT" is EST.
  while (letters < name.size() && ascii::is_alpha(name[letters])) ++letters;
  name = name.substr(0, letters);
  for (const auto& zone : zones) {
    if (!ascii::equal_ignoring_case(zone.name, name)) continue;
    civil.offset = zone.hours * 60;
    civil.zone_known = true;
    return;
  }
}

bool set_numeric_zone(Civil& civil, Bytes word) {
  std::string digits;
  for (const char c : word.substr(1)) {
    if (c != ':') digits += c;
  }
  const auto value = ascii::number<unsigned>(digits);
  if (!value || digits.size() > 4) return false;
  const unsigned hours = digits.size() > 2 ? *value / 100 : *value;
  const unsigned minutes = digits.size() > 2 ? *value % 100 : 0;
  if (minutes > 59) return false;
  const int offset = static_cast<int>(hours * 60 + minutes);
  civil.offset = word[0] == '-' ? -offset : offset;
  civil.has_zone = true;
  civil.zone_known = word[0] == '+' || offset != 0;  // RFC 5322 §3.3: -0000 tells no zone.
  return true;
}

bool set_time(Civil& civil, Bytes word) {
  std::array<unsigned, 3> parts{};
  std::size_t count = 0;
  while (count < 3) {
    const std::size_t colon = word.find_first_of(":.");
    const auto value = ascii::number<unsigned>(word.substr(0, colon));
    if (!value || word.substr(0, colon).size() > 2) return false;
    parts[count++] = *value;
    if (colon == Bytes::npos) break;
    if (word[colon] == '.' && count == 3) break;  // Fractions of a second are dropped.
    word.remove_prefix(colon + 1);
  }
  if (count < 2) return false;
  civil.hour = parts[0];
  civil.minute = parts[1];
  civil.second = parts[2];
  civil.has_time = true;
  return true;
}

bool set_number(Civil& civil, Bytes word) {
  const auto value = ascii::number<unsigned>(word);
  if (!value || word.size() > 5) return false;
  // Some write the day with a needless zero in front: 029.
  if (civil.day == 0 && (word.size() <= 2 || (word.size() == 3 && word[0] == '0'))) {
    civil.day = *value;
    return true;
  }
  if (civil.year >= 0) return false;
  // RFC 5322 §4.3: two digits: 00 to 49 is 2000 to 2049, 50 to 99 is 1950 to 1999; three digits: from 1900.
  const int year = static_cast<int>(*value);
  civil.year = word.size() == 2 ? (year < 50 ? year + 2000 : year + 1900) : word.size() == 3 ? year + 1900 : year;
  return true;
}

// Gives the next word of a date, passing over blanks, commas and comments; empty at the end.
class DateWords {
 public:
  explicit DateWords(Bytes text) : text_(text) {}

  Bytes next(bool split_hyphens) {
    skip();
    const std::size_t start = at_;
    if (at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    while (at_ < text_.size() && !is_separator(text_[at_]) && !(split_hyphens && text_[at_] == '-') &&
           !(at_ > start && (text_[at_] == '+' || (text_[at_] == '-' && !split_hyphens)))) {
      ++at_;
    }
    const Bytes word = text_.substr(start, at_ - start);
    if (split_hyphens && at_ < text_.size() && text_[at_] == '-') ++at_;
    return word;
  }

 private:
  static bool is_separator(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == '(' || c == ';';
  }
  void skip() {
    std::size_t depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '(') {
        ++depth;
      } else if (c == ')' && depth > 0) {
        --depth;
      } else if (c == '\\' && depth > 0) {
        ++at_;
      } else if (depth == 0 && (!is_separator(c))) {
        return;
      }
    }
    at_ = text_.size();
  }

  Bytes text_;
  std::size_t at_ = 0;
};

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// RFC 5322 §4.3: blanks and comments may stand around the colons of a time. Whether they do.
bool has_loose_time(Bytes text) {
  for (std::size_t at = 0; (at = text.find(':', at)) != Bytes::npos; ++at) {
    if (at > 0 && (is_blank(text[at - 1]) || text[at - 1] == ')')) return true;
    if (at + 1 < text.size() && (is_blank(text[at + 1]) || text[at + 1] == '(')) return true;
  }
  return false;
}

// The text without comments, and without blanks around colons.
std::string with_whole_time(Bytes text) {
  std::string out;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && depth > 0) {
      ++i;
    } else if (c == '(') {
      ++depth;
    } else if (depth > 0) {
      depth -= c == ')';
      if (depth == 0 && !out.ends_with(':')) out += ' ';
    } else if (c == ':') {
      while (!out.empty() && is_blank(out.back())) out.pop_back();
      out += c;
    } else if (!is_blank(c) || !out.ends_with(':')) {
      out += c;
    }
  }
  return out;
}

// The day of the week in another language, met in the wild: letters and a comma in front say nothing else.
Bytes without_foreign_weekday(Bytes text) {
  const auto is_letter = [](char c) { return ascii::is_alpha(c) || static_cast<unsigned char>(c) >= 0x80 || c == '.'; };
  Bytes rest = text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const auto end = std::ranges::find_if_not(rest, is_letter);
  if (end == rest.begin() || end == rest.end() || *end != ',') return text;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.begin()) + 1);
  return rest;
}

bool take_word(Civil& civil, Bytes word) {
  const char first = word.front();
  if ((first == '+' || first == '-') && civil.has_time) {
    if (!civil.has_zone) set_numeric_zone(civil, word);
    return true;
  }
  if (ascii::is_digit(first)) {
    if (word.find(':') != Bytes::npos || (civil.year >= 0 && !civil.has_time && word.find('.') != Bytes::npos)) {
      return set_time(civil, word);
    }
    if (civil.has_time && civil.year >= 0) return true;  // Something behind the date.
    return set_number(civil, word);
  }
  if (civil.month == 0) {
    if (const auto month = month_of(word)) {
      civil.month = *month;
      return true;
    }
  }
  if (is_weekday(word) && !civil.has_zone) return true;
  if (civil.has_time && !civil.has_zone) set_named_zone(civil, word);
  return civil.has_time;
}

}  // namespace

std::int64_t days_since_1970(Day day) {
  using namespace std::chrono;
  return sys_days(year_month_day(year(day.year), month(day.month), std::chrono::day(day.day)))
      .time_since_epoch()
      .count();
}

Day day_of(UtcTime time, int offset_minutes) {
  using namespace std::chrono;
  const std::int64_t seconds = time.seconds() + offset_minutes * std::int64_t{60};
  const sys_days days(floor<std::chrono::days>(std::chrono::seconds(seconds)));
  const year_month_day date(days);
  return Day{static_cast<int>(date.year()), static_cast<std::uint8_t>(static_cast<unsigned>(date.month())),
             static_cast<std::uint8_t>(static_cast<unsigned>(date.day()))};
}

std::optional<ZonedTime> parse_date(Bytes value) {
  value = without_foreign_weekday(value.substr(0, 1024));
  std::string whole;
  if (has_loose_time(value)) value = whole = with_whole_time(value);
  Civil civil;
  DateWords words(value);
  for (int count = 0; count < 16; ++count) {
    const Bytes word = words.next(!civil.has_time);
    if (word.empty()) break;
    if (!take_word(civil, word)) {
      if (civil.year >= 0 && civil.month > 0 && civil.day > 0 && civil.has_time) break;
      return std::nullopt;
    }
  }
  if (civil.day == 0 || civil.month == 0) return std::nullopt;
  return to_time(civil);
}

std::string write_date(UtcTime time, int offset_minutes) {
  const Day day = day_of(time, offset_minutes);
  const std::int64_t local = time.seconds() + offset_minutes * std::int64_t{60};
  const std::int64_t days = days_since_1970(day);
  const std::int64_t second = local - days * 86'400;
  const auto weekday = static_cast<std::size_t>(((days % 7) + 11) % 7);  // 1 January 1970 was a Thursday.
  const int offset = offset_minutes < 0 ? -offset_minutes : offset_minutes;
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} {}{:02}{:02}", weekdays[weekday], day.day,
                     months[day.month - 1u], day.year, second / 3'600, second / 60 % 60, second % 60,
                     offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
}

std::optional<ZonedTime> parse_internal_date(Bytes text) {
  // "17-Jul-1996 02:44:25 -0700": fixed width.
  if (text.size() != 26 || text[2] != '-' || text[6] != '-' || text[11] != ' ' || text[14] != ':' || text[17] != ':' ||
      text[20] != ' ' || (text[21] != '+' && text[21] != '-')) {
    return std::nullopt;
  }
  const auto day = ascii::number<unsigned>(text[0] == ' ' ? text.substr(1, 1) : text.substr(0, 2));
  const auto month = month_of(text.substr(3, 3));
  const auto year = ascii::number<unsigned>(text.substr(7, 4));
  const auto hour = ascii::number<unsigned>(text.substr(12, 2));
  const auto minute = ascii::number<unsigned>(text.substr(15, 2));
  const auto second = ascii::number<unsigned>(text.substr(18, 2));
  const auto zone = ascii::number<unsigned>(text.substr(22, 4));
  if (!day || !month || !year || !hour || !minute || !second || !zone || *zone % 100 > 59) return std::nullopt;
  Civil civil{.year = static_cast<int>(*year),
              .month = *month,
              .day = *day,
              .hour = *hour,
              .minute = *minute,
              .second = *second};
  const int offset = static_cast<int>(*zone / 100 * 60 + *zone % 100);
  civil.offset = text[21] == '-' ? -offset : offset;
  civil.zone_known = true;
  return to_time(civil);
}

std::string write_internal_date(UtcTime time, int offset_minutes) {
  const Day day = day_of(time, offset_minutes);
  const std::int64_t second = time.seconds() + offset_minutes * std::int64_t{60} - days_since_1970(day) * 86'400;
  const int offset = offset_minutes < 0 ? -offset_minutes : offset_minutes;
  return fmt::format("{:02}-{}-{:04} {:02}:{:02}:{:02} {}{:02}{:02}", day.day, months[day.month - 1u], day.year,
                     second / 3'600, second / 60 % 60, second % 60, offset_minutes < 0 ? '-' : '+', offset / 60,
                     offset % 60);
}

std::optional<Day> parse_imap_date(Bytes text) {
  if (text.size() > 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  const std::size_t hyphen = text.find('-');
  if (hyphen == Bytes::npos || hyphen == 0 || hyphen > 2 || text.size() != hyphen + 9 || text[hyphen + 4] != '-') {
    return std::nullopt;
  }
  const auto day = ascii::number<unsigned>(text.substr(0, hyphen));
  const auto month = month_of(text.substr(hyphen + 1, 3));
  const auto year = ascii::number<unsigned>(text.substr(hyphen + 5, 4));
  if (!day || !month || !year) return std::nullopt;
  using namespace std::chrono;
  if (!year_month_day(std::chrono::year(static_cast<int>(*year)), std::chrono::month(*month), std::chrono::day(*day))
           .ok()) {
    return std::nullopt;
  }
  return Day{static_cast<std::int32_t>(*year), static_cast<std::uint8_t>(*month), static_cast<std::uint8_t>(*day)};
}

std::string write_iso_date(UtcTime time) {
  const Day day = day_of(time, 0);
  const std::int64_t second = time.seconds() - days_since_1970(day) * 86'400;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", day.year, day.month, day.day, second / 3'600,
                     second / 60 % 60, second % 60);
}

}  // namespace facteur::message
