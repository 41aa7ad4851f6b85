#include "message/verify.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "base/ascii.hpp"
#include "message/address.hpp"
#include "message/ambiguity.hpp"
#include "message/charset.hpp"
#include "message/header.hpp"
#include "message/inert.hpp"
#include "message/mime.hpp"
#include "message/references.hpp"
#include "message/trace.hpp"

namespace facteur::message {
namespace {

using Weight = Finding::Weight;

constexpr std::size_t longest_line = 998;  // RFC 5322 §2.1.1.
constexpr std::size_t wished_line = 78;
constexpr std::size_t most_findings = 200;
constexpr std::int64_t day_seconds = 86'400;

class Verifier {
 public:
  explicit Verifier(Bytes message) : message_(message) {}

  std::vector<Finding> run() {
    check_lines();
    check_header();
    check_dates();
    check_parts();
    std::vector<Finding> sorted;
    for (auto& one : found_) {
      const auto behind = std::ranges::upper_bound(sorted, one.line, {}, &Finding::line);
      sorted.insert(behind, std::move(one));
    }
    return sorted;
  }

 private:
  void add(Weight weight, std::string_view what, std::size_t line = 0, Bytes detail = {}) {
    for (auto& one : found_) {
      if (one.what != what) continue;
      ++one.count;
      return;
    }
    if (found_.size() < most_findings) found_.push_back({weight, what, line, inert_text(detail.substr(0, 200)), 1});
  }

  // Lines are counted once, and looked up by their offset later.
  std::size_t line_of(std::size_t offset) const {
    return 1 + static_cast<std::size_t>(std::ranges::lower_bound(line_ends_, offset) - line_ends_.begin());
  }

  void check_lines() {
    if (message_.empty()) add(Weight::error, "empty");
    header_length_ = header_length(message_);
    std::size_t number = 1;
    for (std::size_t start = 0; start < message_.size(); ++number) {
      const std::size_t end = message_.find('\n', start);
      Bytes line = message_.substr(start, end == Bytes::npos ? end : end - start);
      if (end == Bytes::npos) {
        add(Weight::note, "no_last_line_end", number);
      } else if (line.ends_with('\r')) {
        line.remove_suffix(1);
      } else {
        add(Weight::warning, "bare_lf", number);  // RFC 5322 §2.3: CR and LF stand together only.
      }
      check_line(line, number, start < header_length_);
      if (end == Bytes::npos) break;
      line_ends_.push_back(end);
      start = end + 1;
    }
  }

  void check_line(Bytes line, std::size_t number, bool in_header) {
    if (line.find('\r') != Bytes::npos) add(Weight::error, "bare_cr", number);
    if (line.find('\0') != Bytes::npos) add(Weight::error, "nul", number);
    if (line.size() > longest_line) {
      add(Weight::error, "line_too_long", number, std::to_string(line.size()));
    } else if (in_header && line.size() > wished_line) {
      add(Weight::note, "header_line_long", number, std::to_string(line.size()));
    }
    const bool eight_bit = std::ranges::any_of(line, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    if (in_header && eight_bit) {
      // RFC 6532 §3: UTF-8 is allowed where SMTPUTF8 was agreed upon; anything else never was.
      add(is_utf8(line) ? Weight::note : Weight::error, is_utf8(line) ? "header_utf8" : "header_eight_bit", number);
    }
  }

  // RFC 5322 §3.6: how often fields may be there.
  void check_header() {
    std::map<std::string, std::size_t> seen;
    FieldScanner scanner(message_);
    Field field;
    while (scanner.next(field)) {
      const std::size_t line = line_of(field.line);
      if (field.name.empty()) {
        const bool mbox = field.line == 0 && field.whole.starts_with("From ");
        add(mbox ? Weight::note : Weight::error, mbox ? "mbox_line" : "not_a_field", line,
            field.whole.substr(0, field.whole.find_first_of("\r\n")));
        continue;
      }
      const std::string name = ascii::lower(field.name);
      check_field(name, field, line);
      if (++seen[name] == 2 && only_once(name)) add(Weight::error, "field_twice", line, field.name);
      if (seen.size() > 10'000) break;
    }
    if (!scanner.blank_line() && !message_.empty()) add(Weight::note, "no_body");
    if (!seen.contains("date")) add(Weight::error, "no_date");
    if (!seen.contains("from")) add(Weight::error, "no_from");
    if (!seen.contains("message-id")) add(Weight::warning, "no_message_id");
    if (!seen.contains("mime-version") &&
        (seen.contains("content-type") || seen.contains("content-transfer-encoding"))) {
      add(Weight::warning, "no_mime_version");
    }
    for (const auto* name : {"dkim-signature", "arc-seal"}) {
      if (seen.contains(name)) add(Weight::note, "signature_not_checked", 0, name);
    }
  }

  static bool only_once(std::string_view name) {
    static constexpr std::array<std::string_view, 15> names = {"date",
                                                               "from",
                                                               "sender",
                                                               "reply-to",
                                                               "to",
                                                               "cc",
                                                               "bcc",
                                                               "message-id",
                                                               "in-reply-to",
                                                               "references",
                                                               "subject",
                                                               "mime-version",
                                                               "content-type",
                                                               "content-transfer-encoding",
                                                               "content-disposition"};
    return std::ranges::find(names, name) != names.end();
  }

  void check_field(const std::string& name, const Field& field, std::size_t line) {
    if (name == "date" && !parse_date(field.value)) add(Weight::error, "bad_date", line, ascii::trimmed(field.value));
    if (name == "from" || name == "to" || name == "cc" || name == "reply-to" || name == "sender") {
      check_addresses(field, line);
    }
    if (name == "message-id" && parse_message_ids(field.value, 2).size() != 1) {
      add(Weight::warning, "bad_message_id", line, ascii::trimmed(field.value));
    }
  }

  void check_addresses(const Field& field, std::size_t line) {
    AddressScanner scanner(field.value);
    ListedAddress address;
    std::size_t count = 0;
    while (count < 10'000 && scanner.next(address)) {
      if (address.kind != ListedAddress::Kind::mailbox) continue;
      ++count;
      const std::string text = quoted_local(address.local) + (address.domain.empty() ? "" : "@" + address.domain);
      if (!Address::parse(text)) add(Weight::error, "bad_address", line, text);
    }
    if (count == 0 && field.is("From")) add(Weight::error, "bad_address", line, ascii::trimmed(field.value));
  }

  // The Date against what the servers on the way have written.
  void check_dates() {
    const Trace trace = analyse_trace(message_);
    std::optional<std::int64_t> first;
    std::optional<std::int64_t> last;
    for (const Hop& hop : trace.hops) {
      if (!hop.field.date) continue;
      const std::int64_t seconds = hop.field.date->time.seconds();
      if (!first) first = seconds;
      last = seconds;
      if (hop.clock_skew && hop.delay_seconds && *hop.delay_seconds < -60) {
        add(Weight::note, "clock_skew", 0, hop.field.by);
      }
    }
    if (!trace.date || !first) return;
    const std::int64_t written = trace.date->time.seconds();
    if (written > *last + day_seconds) add(Weight::warning, "date_after_arrival");
    if (written < *first - 7 * day_seconds) add(Weight::note, "date_long_before");
  }

  void check_parts() {
    const PartTree tree = parse_mime(message_);
    const Ambiguities marks = find_ambiguities(message_, tree);
    for (unsigned i = 0; i < ambiguity_count; ++i) {
      const auto mark = static_cast<Ambiguity>(i);
      if (marks.has(mark)) found_.push_back({Weight::warning, "ambiguous", 0, std::string(name_of(mark)), 1});
    }
    for (const Part& part : tree.parts) {
      const std::size_t line = line_of(part.header);
      if (part.kind == Part::Kind::multipart && part.children == 0) add(Weight::error, "no_parts", line);
      if (part.kind == Part::Kind::leaf) check_leaf(part, message_.substr(part.body, part.body_length), line);
    }
  }

  void check_leaf(const Part& part, Bytes body, std::size_t line) {
    if (part.encoding == Encoding::base64) check_base64(body, line);
    if (part.encoding == Encoding::quoted_printable) check_quoted(body, line);
    const bool eight_bit = std::ranges::any_of(body, [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
    // RFC 2045 §2.7: 7bit is what it says.
    if (eight_bit && part.encoding == Encoding::seven_bit) add(Weight::warning, "eight_bit_unlabelled", line);
    if (part.content_type.type != "text") return;
    const std::string_view charset = part.content_type.parameter("charset");
    if (!charset.empty() && !charset_known(charset)) add(Weight::warning, "unknown_charset", line, charset);
    if (ascii::equal_ignoring_case(charset, "utf-8") && !is_utf8(decoded_body(message_, part))) {
      add(Weight::warning, "wrong_charset", line, charset);
    }
  }

  void check_base64(Bytes body, std::size_t line) {
    const auto letters =
        std::ranges::count_if(body, [](char c) { return !ascii::is_control(c) && !ascii::is_space(c); });
    if (letters % 4 != 0) add(Weight::warning, "base64_cut", line);
  }

  void check_quoted(Bytes body, std::size_t line) {
    for (std::size_t at = body.find('='); at != Bytes::npos; at = body.find('=', at + 1)) {
      const Bytes next = body.substr(at + 1, 2);
      const bool code = next.size() == 2 && ascii::is_hex(next[0]) && ascii::is_hex(next[1]);
      const bool soft = next.starts_with('\n') || next == "\r\n" || next.empty();
      if (!code && !soft) return add(Weight::warning, "bad_quoted_printable", line);
    }
  }

  Bytes message_;
  std::size_t header_length_ = 0;
  std::vector<std::size_t> line_ends_;
  std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> verify(Bytes message) { return Verifier(message).run(); }

}  // namespace facteur::message
