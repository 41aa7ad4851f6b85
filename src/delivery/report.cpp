#include "delivery/report.hpp"

#include <algorithm>
#include <utility>

#include "crypto/hash.hpp"
#include "message/address.hpp"
#include "message/header.hpp"
#include "smtp/parameters.hpp"

namespace facteur::delivery {

namespace {

constexpr std::uint64_t most_returned = 1024 * 1024;  // Of a message returned whole; larger: its header.
constexpr std::uint64_t most_header = 64 * 1024;

// "mx.example.org [192.0.2.1]" -> "mx.example.org".
std::string name_of(const std::string& host) { return host.substr(0, host.find(' ')); }

message::RecipientReport report_of(const queue::Recipient& recipient, const Reported& what, const queue::Entry& entry,
                                   UtcTime now) {
  message::RecipientReport out;
  out.final_recipient = recipient.address;
  out.original_recipient = recipient.original;
  out.action = what.action;
  out.status = what.status;
  out.remote_mta = name_of(recipient.last_host);
  out.diagnostic = recipient.last_reply;
  out.last_attempt = now;
  if (what.action == message::ReportAction::delayed) out.will_retry_until = entry.expires;
  return out;
}

message::Address own_address(const std::string& local, const Parameters& parameters) {
  message::Address out{local, message::Domain::parse(parameters.hostname).value_or(message::Domain())};
  if (out.domain.empty()) out.domain = *message::Domain::parse("localhost");
  return out;
}

}  // namespace

bool wants_report(const queue::Recipient& recipient, message::ReportAction action) {
  using Notify = smtp::RcptParameters;
  using Action = message::ReportAction;
  if ((recipient.notify & Notify::never) != 0) return false;
  switch (action) {
    case Action::failed:
      return recipient.notify == 0 || (recipient.notify & Notify::failure) != 0;
    case Action::delayed:
      return recipient.notify == 0 || (recipient.notify & Notify::delay) != 0;
    case Action::delivered:
    case Action::relayed:
    case Action::expanded:
      return (recipient.notify & Notify::success) != 0;
  }
  return false;
}

bool may_report(const queue::Entry& entry, const directory::Directory& directory) {
  if (entry.sender.empty()) return false;  // RFC 5321 §4.5.5.
  const auto sender = message::Address::parse(entry.sender);
  if (!sender) return false;
  return entry.authenticated || directory.is_local_domain(sender->domain.text());
}

std::optional<queue::Entry> add_report(const Surroundings& surroundings, const Parameters& parameters,
                                       const std::string& to, const queue::Entry& entry,
                                       const std::vector<Reported>& what, const store::Content& original,
                                       store::Batch& batch) {
  const auto reader = message::Address::parse(to);
  if (what.empty() || !reader) return std::nullopt;
  const auto now = surroundings.clock.utc();
  message::Report report{.reporting_mta = parameters.hostname,
                         .from = own_address("MAILER-DAEMON", parameters),
                         .to = reader->domain.empty() ? own_address(reader->local, parameters) : *reader,
                         .origin = {.at = now, .host = parameters.hostname},
                         .eight_bit = true};  // Where a server takes 7 bits only, it is converted on the way.
  surroundings.random.fill(report.origin.chance);
  report.envelope_id = entry.envelope_id;
  report.arrived = entry.arrived;
  for (const auto& one : what) {
    report.recipients.push_back(report_of(entry.recipients[one.recipient], one, entry, now));
  }
  const bool failed =
      std::ranges::any_of(what, [](const Reported& one) { return one.action == message::ReportAction::failed; });
  // RFC 3461 §4.3: RET is about reports of failure; others get the header.
  const bool whole = failed && entry.ret == static_cast<std::uint8_t>(smtp::MailParameters::Return::full) &&
                     original.size() <= most_returned;
  std::string text = entry.prefix + original.slice(0, whole ? original.size() : most_header);
  if (!whole) text.resize(message::header_length(text));
  report.original = text;
  report.headers_only = !whole;

  const auto built = message::build_report(report);
  const auto& octets = built.octets;
  queue::Entry out;
  out.id = surroundings.queue.new_id();
  out.content = store::BlobId::from(crypto::sha256(octets).view());
  out.content_size = octets.size();
  out.arrived = now;
  out.expires = now + parameters.bounce_expiry;
  out.smtputf8 = built.utf8;
  out.trace = entry.trace;
  queue::Recipient recipient;
  recipient.address = to;
  recipient.notify = smtp::RcptParameters::never;
  out.recipients.push_back(std::move(recipient));
  batch.add_blob(out.content, octets);
  surroundings.queue.enter(out, batch);
  return out;
}

}  // namespace facteur::delivery
