#include <algorithm>

#include "base/ascii.hpp"
#include "message/date.hpp"
#include "message/header.hpp"
#include "message/mbox.hpp"

namespace facteur::message {
namespace {

constexpr std::size_t longest_postmark = 1000;
constexpr std::size_t largest_header = std::size_t{1} << 20;
constexpr std::string_view mark_name = "X-Facteur-Fields: ";

Bytes without_line_end(Bytes line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

bool is_blank(Bytes line) { return without_line_end(line).empty(); }

// "Name: value": what must stand behind a "From " line that might be text.
bool is_field(Bytes line) {
  const std::size_t colon = line.find(':');
  if (colon == Bytes::npos || colon == 0) return false;
  return std::ranges::all_of(line.substr(0, colon), [](char c) { return ascii::is_printable(c) && c != ' '; });
}

// The date of a "From " line begins at the day of the week, which may be in front of a zone and more.
std::optional<UtcTime> date_of(Bytes postmark) {
  static constexpr std::string_view days[] = {" Sun ",  " Mon ",  " Tue ",  " Wed ",  " Thu ",  " Fri ",  " Sat ",
                                              " Sun, ", " Mon, ", " Tue, ", " Wed, ", " Thu, ", " Fri, ", " Sat, "};
  for (const auto day : days) {
    const std::size_t at = postmark.find(day);
    if (at == Bytes::npos) continue;
    if (const auto date = parse_date(postmark.substr(at + 1))) return date->time;
  }
  return std::nullopt;
}

// Three kinds of lines begin a message: with a time and a year ("From a@b Sat Jan  3 01:05:34 1996"), with no more than
// one word (Netscape: "From -", Google: "From 1844347792267117879@xxx"), and none ("From here on...").
enum class Postmark : std::uint8_t { none, weak, strong };

Postmark postmark_of(Bytes line) {
  line = without_line_end(line);
  if (!line.starts_with("From ") && line != "From") return Postmark::none;
  line.remove_prefix(std::min<std::size_t>(5, line.size()));
  bool time = false;
  bool year = false;
  for (std::size_t i = 0; i + 4 < line.size(); ++i) {
    const auto digit = [&](std::size_t n) { return ascii::is_digit(line[n]); };
    if (line[i + 2] == ':' && digit(i + 1) && digit(i + 3) && digit(i + 4)) time = true;
    const bool ends = i + 5 == line.size() || !digit(i + 5);
    if (line[i] == ' ' && digit(i + 1) && digit(i + 2) && digit(i + 3) && digit(i + 4) && ends) year = true;
  }
  if (time && year) return Postmark::strong;
  const Bytes word = ascii::trimmed(line);
  const bool one = word.find(' ') == Bytes::npos;
  return one && (word.empty() || word == "-" || word.find('@') != Bytes::npos) ? Postmark::weak : Postmark::none;
}

// How many '>' a line has before "From "; nullopt: it is no such line.
std::optional<std::size_t> quotes_of(Bytes line) {
  const std::size_t count = std::min(line.find_first_not_of('>'), line.size());
  if (!line.substr(count).starts_with("From ")) return std::nullopt;
  return count;
}

std::string unquoted(Bytes text, MboxDialect dialect) {
  if (dialect == MboxDialect::mboxcl2 || text.find(">From ") == Bytes::npos) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    Bytes line = text.substr(0, end);
    text.remove_prefix(end);
    const auto quotes = line.front() == '>' ? quotes_of(line) : std::nullopt;
    if (quotes && (*quotes == 1 || (*quotes > 1 && dialect == MboxDialect::mboxrd))) line.remove_prefix(1);
    out.append(line);
  }
  return out;
}

bool has_line_from(Bytes body) { return body.starts_with("From ") || body.find("\nFrom ") != Bytes::npos; }

}  // namespace

void MboxReader::add(Bytes octets) {
  if (at_ > 0 && at_ >= buffer_.size() / 2) {
    buffer_.erase(0, at_);
    content_ -= std::min(content_, at_);
    scan_ -= std::min(scan_, at_);
    if (claimed_) *claimed_ -= at_;
    at_ = 0;
  }
  if (!begun_ && buffer_.empty() && octets.starts_with("\xef\xbb\xbf")) octets.remove_prefix(3);
  begun_ = begun_ || !octets.empty();
  buffer_.append(octets);
}

std::size_t MboxReader::line_end(std::size_t at) const {
  const std::size_t found = buffer_.find('\n', at);
  if (found != std::string::npos) return found + 1;
  return ended_ ? buffer_.size() : std::string::npos;
}

MboxReader::Line MboxReader::kind_of(std::size_t at, bool behind_blank) const {
  const Bytes rest = Bytes(buffer_).substr(at);
  constexpr std::string_view begin = "From ";
  if (rest.size() < begin.size() && !ended_ && begin.starts_with(rest)) return Line::unknown;
  if (!rest.starts_with("From")) return Line::other;
  const std::size_t end = line_end(at);
  if (end == std::string::npos) return rest.size() > longest_postmark ? Line::other : Line::unknown;
  const auto kind = postmark_of(rest.substr(0, end - at));
  if (kind == Postmark::none) return Line::other;
  if (kind == Postmark::strong && behind_blank) return Line::postmark;
  // Netscape put no blank line in front of "From -".
  const bool dash = ascii::trimmed(without_line_end(rest.substr(0, end - at))) == "From -";
  if (kind == Postmark::weak && !behind_blank && !dash) return Line::other;
  // Might be text: only if a header follows.
  const std::size_t next = line_end(end);
  if (next == std::string::npos) return buffer_.size() - end > longest_postmark ? Line::other : Line::unknown;
  return is_field(Bytes(buffer_).substr(end, next - end)) ? Line::postmark : Line::other;
}

bool MboxReader::find_start() {
  while (true) {
    const std::size_t end = line_end(at_);
    if (end == std::string::npos || at_ == buffer_.size()) return false;
    const Line kind = kind_of(at_, true);
    if (kind == Line::unknown) return false;
    if (kind == Line::postmark) {
      read_postmark(end);
      return true;
    }
    const Bytes line = Bytes(buffer_).substr(at_, end - at_);
    if (!is_blank(line)) passed_over_ += line.size();
    at_ = end;
  }
}

void MboxReader::read_postmark(std::size_t end) {
  const Bytes line = Bytes(buffer_).substr(at_, end - at_);
  letter_ = {};
  verbatim_ = line.ends_with("\r\n");
  const Bytes text = without_line_end(line).substr(std::min<std::size_t>(5, without_line_end(line).size()));
  letter_.sender = text.substr(0, text.find(' '));
  letter_.received = date_of(without_line_end(line));
  content_ = scan_ = end;
  claimed_.reset();
  marked_ = counted_ = exact_ = oversize_ = false;
  stage_ = Stage::mark;
}

// Our own mark, if it is there: "X-Facteur-Fields: 2 mboxrd 1234". nullopt: more must be seen.
std::optional<std::size_t> MboxReader::read_mark() {
  const Bytes rest = Bytes(buffer_).substr(content_);
  if (!rest.starts_with(mark_name))
    return rest.size() < mark_name.size() && !ended_ && mark_name.starts_with(rest) ? std::nullopt
                                                                                    : std::optional(content_);
  std::size_t end = line_end(content_);
  if (end == std::string::npos) return rest.size() > longest_postmark ? std::optional(content_) : std::nullopt;
  Bytes value = without_line_end(Bytes(buffer_).substr(content_, end - content_)).substr(mark_name.size());
  const std::size_t first = value.find(' ');
  const std::size_t second = value.find(' ', first + 1);
  if (first == Bytes::npos || second == Bytes::npos) return content_;
  const auto count = ascii::number<unsigned>(value.substr(0, first));
  const auto dialect = mbox_dialect(value.substr(first + 1, second - first - 1));
  const auto length = ascii::number<std::size_t>(value.substr(second + 1));
  if (!count || !dialect || !length || *count > 16) return content_;
  MailState state;
  for (unsigned i = 0; i < *count; ++i) {
    const std::size_t begin = end;
    end = line_end(begin);
    if (end == std::string::npos)
      return buffer_.size() - begin > largest_header ? std::optional(content_) : std::nullopt;
    const Bytes line = Bytes(buffer_).substr(begin, end - begin);
    const std::size_t colon = line.find(':');
    if (colon == Bytes::npos) return content_;
    static_cast<void>(take_state_field(line.substr(0, colon), line.substr(colon + 1), state));
  }
  marked_ = true;
  written_ = *dialect;
  letter_.state = std::move(state);
  if (*length <= largest_) claimed_ = end + *length;
  return end;
}

// Whether a message may end there: up to two line ends, then the next "From " line or the end of the file.
bool MboxReader::claim(std::size_t end) {
  for (int i = 0; i < 2 && end < buffer_.size(); ++i) {
    if (buffer_[end] == '\r' && end + 1 < buffer_.size() && buffer_[end + 1] == '\n') ++end;
    if (buffer_[end] == '\n') ++end;
  }
  return end == buffer_.size() ? ended_ : kind_of(end, true) == Line::postmark;
}

bool MboxReader::find_header_end() {
  while (true) {
    const std::size_t end = line_end(scan_);
    if (end == std::string::npos || (scan_ == buffer_.size() && ended_)) {
      if (buffer_.size() - content_ > largest_header || ended_) stage_ = Stage::body;
      return stage_ == Stage::body;
    }
    const Line kind = scan_ > content_ ? kind_of(scan_, false) : Line::other;
    if (kind == Line::unknown) return false;
    if (kind == Line::postmark || is_blank(Bytes(buffer_).substr(scan_, end - scan_))) {
      stage_ = Stage::body;
      if (kind != Line::postmark) content_length();
      return true;
    }
    scan_ = end;
  }
}

void MboxReader::content_length() {
  const Bytes header = Bytes(buffer_).substr(content_, scan_ - content_);
  const auto value = first_field(header, "Content-Length");
  const auto length = value ? ascii::number<std::size_t>(ascii::trimmed(unfolded(*value))) : std::nullopt;
  const bool wanted = !dialect_ || *dialect_ == MboxDialect::mboxcl || *dialect_ == MboxDialect::mboxcl2;
  if (!length || !wanted || *length > largest_) return;
  claimed_ = line_end(scan_) + *length;
}

// Gives up the octets of a message that is too large; goes on looking for its end.
void MboxReader::drop_oversize() {
  oversize_ = true;
  buffer_.erase(content_, scan_ - content_);
  scan_ = content_;
}

bool MboxReader::find_end() {
  if (claimed_) {
    constexpr std::size_t behind = 2 * longest_postmark;  // Enough to know the lines that follow.
    if (buffer_.size() < *claimed_ + behind && !ended_) return false;
    if (*claimed_ <= buffer_.size() && claim(*claimed_)) {
      end_ = *claimed_;
      exact_ = true;
      counted_ = !marked_;
      stage_ = Stage::found;
      return true;
    }
    claimed_.reset();  // Wrong: somebody has edited the file.
    marked_ = false;
  }
  if (stage_ == Stage::header && !find_header_end()) return false;
  if (claimed_) return find_end();
  while (true) {
    // scan_ may stand at the beginning of a line.
    const std::size_t found = buffer_.find("\nFrom", scan_ > content_ ? scan_ - 1 : scan_);
    if (found == std::string::npos) {
      scan_ = std::max(scan_, buffer_.size() - std::min<std::size_t>(buffer_.size(), 5));
      if (!ended_) {
        if (buffer_.size() - content_ > largest_) drop_oversize();
        return false;
      }
      end_ = buffer_.size();
      break;
    }
    const std::size_t at = found + 1;
    const Bytes before = Bytes(buffer_).substr(content_, at - content_);
    const bool blank = before.ends_with("\n\n") || before.ends_with("\n\r\n") || before == "\n" || before == "\r\n";
    const Line kind = kind_of(at, blank);
    if (kind == Line::unknown) {
      scan_ = at;
      return false;
    }
    if (kind == Line::postmark) {
      end_ = at;
      break;
    }
    scan_ = at + 4;
  }
  stage_ = Stage::found;
  return true;
}

void MboxReader::make(MboxLetter& into) {
  Bytes raw = Bytes(buffer_).substr(content_, end_ - content_);
  if (!exact_) {  // The blank line behind it belongs to the file.
    if (raw.ends_with("\n\r\n") || raw == "\r\n") {
      raw.remove_suffix(2);
    } else if (raw.ends_with("\n\n") || raw == "\n") {
      raw.remove_suffix(1);
    }
  }
  MboxDialect dialect = marked_ ? written_ : dialect_.value_or(MboxDialect::mboxrd);
  if (counted_ && !dialect_) {
    dialect = has_line_from(raw.substr(header_length(raw))) ? MboxDialect::mboxcl2 : MboxDialect::mboxcl;
  }
  std::string text;
  if (!marked_) {  // The fields of mail programs may stand anywhere in the header.
    FieldScanner scanner(raw);
    Field field;
    std::size_t copied = 0;
    while (scanner.next(field)) {
      const bool count = counted_ && field.is("Content-Length");
      if (field.name.empty() || (!take_state_field(field.name, field.value, letter_.state) && !count)) continue;
      text.append(raw.substr(copied, field.line - copied));
      copied = field.line + field.whole.size();
    }
    if (copied > 0) raw = text.append(raw.substr(copied));
  }
  std::string plain = unquoted(raw, dialect);
  letter_.too_large = oversize_;
  letter_.octets = oversize_ ? std::string() : verbatim_ ? std::move(plain) : crlf_lines(plain);
  into = std::move(letter_);
}

MboxReader::Step MboxReader::next(MboxLetter& into) {
  if (stage_ == Stage::outside && !find_start()) {
    if (!ended_) return Step::more;
    passed_over_ += buffer_.size() - at_;
    at_ = buffer_.size();
    return Step::end;
  }
  if (stage_ == Stage::mark) {
    const auto content = read_mark();
    if (!content) {
      if (!ended_) return Step::more;
    } else {
      content_ = *content;
    }
    scan_ = content_;
    stage_ = Stage::header;
  }
  if (!find_end()) return Step::more;
  make(into);
  at_ = end_;
  stage_ = Stage::outside;
  return Step::letter;
}

bool looks_like_mbox(Bytes start) {
  if (start.starts_with("\xef\xbb\xbf")) start.remove_prefix(3);
  const std::size_t begin = std::min(start.find_first_not_of("\r\n"), start.size());
  start.remove_prefix(begin);
  return postmark_of(start.substr(0, std::min(start.find('\n'), start.size()))) != Postmark::none;
}

}  // namespace facteur::message
