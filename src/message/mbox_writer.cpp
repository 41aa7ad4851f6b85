#include <fmt/format.h>

#include <algorithm>

#include "base/ascii.hpp"
#include "message/date.hpp"
#include "message/header.hpp"
#include "message/mbox.hpp"

namespace facteur::message {
namespace {

constexpr std::string_view names[] = {"mboxo", "mboxrd", "mboxcl", "mboxcl2"};

// asctime, as the oldest mail programs wrote it; in UTC.
std::string postmark_date(UtcTime time) {
  static constexpr std::string_view days[] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  static constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const Day day = day_of(time, 0);
  const std::int64_t number = days_since_1970(day);
  const std::int64_t second = time.seconds() - number * 86'400;
  return fmt::format("{} {} {:2} {:02}:{:02}:{:02} {:04}", days[static_cast<std::size_t>((number % 7 + 7) % 7)],
                     months[day.month - 1U], day.day, second / 3600, second / 60 % 60, second % 60, day.year);
}

std::string postmark(std::string_view sender, UtcTime time) {
  std::string word;
  for (const char c : sender.substr(0, 320)) word += ascii::is_control(c) || c == ' ' ? '-' : c;
  return "From " + (word.empty() ? std::string("MAILER-DAEMON") : word) + " " + postmark_date(time);
}

bool must_be_quoted(Bytes line, MboxDialect dialect) {
  if (dialect == MboxDialect::mboxcl2) return false;
  if (dialect == MboxDialect::mboxrd) line.remove_prefix(std::min(line.find_first_not_of('>'), line.size()));
  return line.starts_with("From ");
}

std::string quoted(Bytes text, MboxDialect dialect) {
  if (dialect == MboxDialect::mboxcl2 || text.find("From ") == Bytes::npos) return std::string(text);
  std::string out;
  out.reserve(text.size() + 64);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    if (must_be_quoted(text.substr(0, end), dialect)) out += '>';
    out.append(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out;
}

// A line that begins with ">From ": in mboxo and mboxcl it looks like a quoted one.
bool has_quoted_line(Bytes text) { return text.starts_with(">From ") || text.find("\n>From ") != Bytes::npos; }

}  // namespace

std::string_view name_of(MboxDialect dialect) { return names[static_cast<std::size_t>(dialect)]; }

std::optional<MboxDialect> mbox_dialect(std::string_view name) {
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if (ascii::equal_ignoring_case(name, names[i])) return static_cast<MboxDialect>(i);
  }
  return std::nullopt;
}

bool has_only_crlf(Bytes text) {
  std::size_t found = 0;
  for (std::size_t at = text.find('\n'); at != Bytes::npos; at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return false;
    ++found;
  }
  return static_cast<std::size_t>(std::ranges::count(text, '\r')) == found;
}

std::string lf_lines(Bytes text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    if (text.substr(0, end).ends_with("\r\n")) {
      out.append(text.substr(0, end - 2)) += '\n';
    } else {
      out.append(text.substr(0, end));
    }
    text.remove_prefix(end);
  }
  return out;
}

std::string crlf_lines(Bytes text) {
  std::string out;
  out.reserve(text.size() + text.size() / 24 + 2);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == Bytes::npos) break;
    out.append(text.substr(0, end));
    out.append(end > 0 && text[end - 1] == '\r' ? "\n" : "\r\n");
    text.remove_prefix(end + 1);
  }
  return out.append(text);
}

void append_mbox(std::string& out, Bytes message, std::string_view sender, UtcTime received, const MailState& state,
                 MboxDialect dialect) {
  const bool plain = has_only_crlf(message);
  const std::string_view line_end = plain ? "\n" : "\r\n";
  std::string text = plain ? lf_lines(message) : std::string(message);
  const bool quotes = dialect == MboxDialect::mboxo || dialect == MboxDialect::mboxcl;
  const auto quoting = quotes && has_quoted_line(text) ? MboxDialect::mboxrd : dialect;
  text = quoted(text, quoting);
  auto fields = write_state_fields(state, line_end);
  if (dialect == MboxDialect::mboxcl || dialect == MboxDialect::mboxcl2) {
    fields.text.append(fmt::format("Content-Length: {}{}", text.size() - header_length(text), line_end));
    ++fields.count;
  }
  out.append(postmark(sender, received)).append(line_end);
  out.append(fmt::format("X-Facteur-Fields: {} {} {}{}", fields.count, name_of(quoting), text.size(), line_end));
  out.append(fields.text).append(text);
  if (!text.ends_with('\n')) out.append(line_end);
  out.append(line_end);
}

bool is_our_mbox(Bytes start) {
  if (start.empty()) return true;
  const std::size_t end = start.find('\n');
  return start.starts_with("From ") && end != Bytes::npos && start.substr(end + 1).starts_with("X-Facteur-Fields: ");
}

}  // namespace facteur::message
