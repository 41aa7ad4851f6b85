#include "message/complaint.hpp"

#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "message/encoded_word.hpp"
#include "message/header.hpp"
#include "message/report_parts.hpp"
#include "message/seven_bit.hpp"

namespace facteur::message {
namespace {

constexpr std::array<std::pair<ComplaintKind, std::string_view>, 5> kinds = {{{ComplaintKind::abuse, "abuse"},
                                                                              {ComplaintKind::fraud, "fraud"},
                                                                              {ComplaintKind::virus, "virus"},
                                                                              {ComplaintKind::other, "other"},
                                                                              {ComplaintKind::not_spam, "not-spam"}}};

std::string_view name_of(ComplaintKind kind) { return kinds[static_cast<std::size_t>(kind)].second; }

// RFC 5965 §3.1 to §3.3.
Result<std::string> feedback(const Complaint& complaint) {
  FieldWriter fields;
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) fields.plain(name, cleaned(value, false));
  };
  add("Feedback-Type", name_of(complaint.kind));
  add("User-Agent", complaint.user_agent.empty() ? "facteur" : complaint.user_agent);
  add("Version", "1");
  add("Original-Envelope-Id", complaint.envelope_id);
  add("Original-Mail-From", complaint.mail_from);
  if (complaint.arrived) fields.date("Arrival-Date", *complaint.arrived, complaint.origin.offset_minutes);
  if (!complaint.reporting_mta.empty()) add("Reporting-MTA", "dns; " + complaint.reporting_mta);
  if (complaint.source_ip) add("Source-IP", to_string(*complaint.source_ip));
  if (complaint.incidents) add("Incidents", std::to_string(*complaint.incidents));
  for (const auto& one : complaint.recipients) add("Original-Rcpt-To", one);
  for (const auto& one : complaint.authentication_results) add("Authentication-Results", one);
  for (const auto& one : complaint.reported_domains) add("Reported-Domain", one);
  for (const auto& one : complaint.reported_uris) add("Reported-URI", one);
  return fields.finish();
}

Result<std::string> header_of(const Complaint& complaint, const std::string& message_id) {
  FieldWriter fields(complaint.transport.utf8);
  fields.date("Date", complaint.origin.at, complaint.origin.offset_minutes);
  const std::vector<Correspondent> from{complaint.from};
  fields.mailboxes("From", from);
  fields.mailboxes("To", complaint.to);
  // RFC 5965 §2: the subject of the message reported on, as a forward.
  const auto subject = first_field(complaint.original, "Subject");
  fields.text("Subject", "FW: " + (subject ? decoded_text(*subject) : ""));
  const std::vector<std::string> own{message_id};
  fields.message_ids("Message-ID", own);
  return fields.finish();
}

}  // namespace

std::optional<ComplaintKind> complaint_kind(std::string_view name) {
  for (const auto& [kind, known] : kinds) {
    if (ascii::equal_ignoring_case(name, known)) return kind;
  }
  return std::nullopt;
}

Result<Built> build_complaint(const Complaint& complaint) {
  Built out;
  out.message_id = new_message_id(complaint.origin);
  for (const auto& who : complaint.to) out.recipients.push_back(who.address);
  if (out.recipients.empty()) return failure(Failure::Kind::refused, "F-1641", "A complaint needs a recipient");
  auto fields = feedback(complaint);
  if (!fields) return failed(fields);
  auto header = header_of(complaint, out.message_id);
  if (!header) return failed(header);
  std::string text = complaint.remark;
  if (text.empty()) text = "This is a report about the attached message, for the program that reads such reports.\n";
  Entity status{.type = "message/feedback-report", .content = std::move(*fields)};
  const Entity body =
      report_entity("feedback-report", std::move(text), std::move(status),
                    complaint.headers_only ? header_part(complaint.original) : whole_part(complaint.original));
  return completed(std::move(out), std::move(*header), body, complaint.transport, complaint.origin);
}

}  // namespace facteur::message
