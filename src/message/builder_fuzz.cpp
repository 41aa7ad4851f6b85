// A draft of any octets: built or refused; what is built has only sound lines, no field but those of the draft, and its
// values read back. So do reports, which take any octets.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "message/builder.hpp"
#include "message/complaint.hpp"
#include "message/dsn.hpp"
#include "message/encoded_word.hpp"
#include "message/flowed.hpp"
#include "message/header.hpp"
#include "message/mdn.hpp"
#include "message/mime.hpp"
#include "message/partial.hpp"
#include "message/reply.hpp"
#include "message/report_reader.hpp"
#include "message/seven_bit.hpp"

namespace {

using namespace facteur;
using namespace facteur::message;

void must(bool holds) {
  if (!holds) std::abort();
}

// The octets as values, cut at 0xfe.
class Values {
 public:
  explicit Values(std::string_view rest) : rest_(rest) {}
  std::string next() {
    const std::size_t end = std::min(rest_.find('\xfe'), rest_.size());
    std::string out(rest_.substr(0, end));
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return out;
  }
  bool flag() { return !next().empty(); }

 private:
  std::string_view rest_;
};

Correspondent who(Values& values) {
  auto address = Address::parse(values.next());
  return {values.next(), address ? *address : *Address::parse("a@b.example")};
}

void check_lines(const std::string& message, const Transport& transport) {
  must(!has_bare_line_end(message) && !has_long_line(message) && message.ends_with("\r\n"));
  must(transport.eight_bit || transport.utf8 || !has_eight_bit(message));
  must(transport.utf8 || !needs_utf8_transport(message));
}

void check_draft(Values& values, const Origin& origin) {
  Draft draft;
  draft.transport = {.eight_bit = values.flag(), .utf8 = values.flag()};
  draft.flowed = values.flag();
  draft.from.push_back(who(values));
  draft.to.emplace_back(who(values));
  draft.to.emplace_back(Group{values.next(), {who(values)}});
  draft.subject = values.next();
  draft.references.push_back(values.next());
  draft.fields.emplace_back(values.next(), values.next());
  draft.text = values.next();
  if (values.flag()) draft.html = values.next();
  draft.attached.push_back({values.next(), values.next(), values.next(), values.next(), values.next()});
  draft.forwarded.push_back(values.next());
  const auto built = build_message(draft, origin);
  if (!built) return must(built.error().kind == Failure::Kind::refused && !built.error().text.empty());
  const std::string& message = built->octets;
  check_lines(message, draft.transport);
  const auto subject = first_field(message, "Subject");
  std::string wanted = draft.subject;
  std::ranges::replace(wanted, '\t', ' ');
  must(subject && decoded_text(*subject) == wanted);
  // Date, From, To, Subject, Message-ID, References, the draft's own, MIME-Version, Content-Type and
  // -Transfer-Encoding.
  std::size_t fields = 0;
  FieldScanner scanner(message);
  for (Field field; scanner.next(field);) ++fields;
  must(fields == 9 || fields == 10);
  const auto tree = parse_mime(message);
  must(tree.parts[0].children == 3);
  (void)split(message, 4'000, origin);
}

void check_reports(Values& values, const Origin& origin) {
  Report report{
      .reporting_mta = values.next(), .from = who(values).address, .to = who(values).address, .origin = origin};
  if (report.from.domain.empty() || report.to.domain.empty()) return;
  report.eight_bit = values.flag();
  report.envelope_id = values.next();
  report.headers_only = values.flag();
  report.recipients.push_back({.final_recipient = values.next(),
                               .original_recipient = values.next(),
                               .status = values.next(),
                               .remote_mta = values.next(),
                               .diagnostic = values.next()});
  const std::string original = values.next();
  report.original = original;
  const Built built = build_report(report);
  check_lines(built.octets, {.eight_bit = report.eight_bit, .utf8 = built.utf8});
  const auto read = read_report(built.octets);
  must(read.kind == ReportKind::delivery && read.recipients.size() == 1 && read.recipients[0].action == "failed");
  ReadingNotice notice{.from = who(values)};
  notice.to = reading_request(original).to;
  notice.origin = origin;
  notice.original = original;
  notice.reporting_ua = values.next();
  notice.original_recipient = values.next();
  notice.errors = {values.next()};
  if (const auto said = build_reading_notice(notice)) {
    check_lines(said->octets, {});
    must(read_report(said->octets).kind == ReportKind::disposition);
  }
  Complaint complaint{.from = who(values), .to = {who(values)}, .origin = origin};
  complaint.remark = values.next();
  complaint.mail_from = values.next();
  complaint.reported_uris = {values.next()};
  complaint.original = original;
  if (const auto said = build_complaint(complaint)) {
    check_lines(said->octets, {});
    must(read_report(said->octets).kind == ReportKind::feedback);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t count) {
  const std::string_view all(reinterpret_cast<const char*>(bytes), count);
  Origin origin{.at = UtcTime{1'700'000'000'000}, .host = "example.org"};
  origin.chance.fill('x');
  Values for_draft(all);
  check_draft(for_draft, origin);
  Values for_reports(all);
  check_reports(for_reports, origin);
  const Draft reply = reply_to(all, {.all = true});
  must(reply.subject.starts_with("Re:"));
  (void)quoted_text(all);
  for (const bool delsp : {false, true}) {
    // Once flowed and read, a text stays the same however often.
    const std::string once = unflowed(flowed(with_crlf(all), delsp), delsp);
    must(unflowed(flowed(with_crlf(once), delsp), delsp) == once);
  }
  return 0;
}
