// The content and the commit: after it, and only after it, the reply is 250 (RFC 5321 §4.1.1.4, §6.1).
#include <algorithm>
#include <utility>

#include "base/ascii.hpp"
#include "directory/network_brake.hpp"
#include "message/date.hpp"
#include "message/received.hpp"
#include "reception/arrival.hpp"

namespace facteur::reception {
namespace {

using smtp::Reply;

constexpr std::size_t longest_header = 1 << 20;      // RELIABILITY S12.
constexpr std::size_t threading_header = 64 * 1024;  // What is kept of it until the message is filed.

Reply refuse(int code, std::string_view enhanced, std::string_view text) {
  return Reply{code, std::string(enhanced), std::string(text)};
}

// Octets of the header with its blank line at the start of `text`; npos if its end is not there. `from`: where to begin
// looking; what stands before has been looked at.
std::size_t header_end(Bytes text, std::size_t from = 0) {
  if (text.starts_with("\r\n")) return 2;  // No header at all.
  const auto end = text.find("\r\n\r\n", from > 3 ? from - 3 : 0);
  return end == Bytes::npos ? Bytes::npos : end + 4;
}

Reply storage_reply(const Failure& failure, store::Engine::Health health) {
  Reply reply = smtp::to_reply(failure, "4.3.0", "5.3.0");
  // RFC 5321 §4.2.2: 452 is for storage, 451 for the rest.
  using Health = store::Engine::Health;
  if (reply.temporary() && (health == Health::low_space || health == Health::index_behind)) {
    reply.code = 452;
    reply.enhanced = "4.3.1";
  }
  return reply;
}

}  // namespace

// Everything one acceptance writes.
struct StoreArrival::Settlement {
  std::string id;
  UtcTime at;
  std::uint64_t size = 0;
  store::BlobId content;
  queue::QueueId number;
  std::vector<mailbox::Placing> placings;
  std::vector<queue::Entry> entries;
};

Task<Reply> StoreArrival::on(const smtp::AppendContent& content) {
  if (!mail_) co_return refuse(503, "5.5.1", "No message has begun");
  if (!mail_->upload) mail_->upload = with_.engine.upload();
  if (mail_->header_done) {
    auto appended = co_await mail_->upload->append(content.content);
    if (!appended) co_return storage_reply(appended.error(), with_.engine.health());
    co_return Reply{};
  }
  if (mail_->header.empty()) {
    // Nearly always the whole header comes at once and is looked at where it lies.
    if (const auto end = header_end(content.content); end != Bytes::npos) {
      auto reply = co_await take_header(content.content.substr(0, end), content.content.substr(end));
      co_return reply;
    }
  }
  const std::size_t before = mail_->header.size();
  mail_->header += content.content;
  const auto end = header_end(mail_->header, before);
  if (std::min(end, mail_->header.size()) > longest_header) {
    co_return refuse(552, "5.3.4", "The header of the message is too large");
  }
  if (end == Bytes::npos) {
    // What the string has reserved beyond its size it has not touched.
    const std::string network = directory::NetworkBrake::network(client_.address);
    if (mail_->held.grow(*large_headers_, network, mail_->header.size())) co_return Reply{};
    co_return refuse(452, "4.3.1", "Too many large headers at once; come again later");
  }
  const std::string gathered = std::exchange(mail_->header, {});
  mail_->held.release();
  auto reply = co_await take_header(Bytes(gathered).substr(0, end), Bytes(gathered).substr(end));
  co_return reply;
}

Task<Reply> StoreArrival::take_header(Bytes header, Bytes rest) {
  mail_->header_done = true;
  mail_->facts = examine_header(header);
  if (auto refusal = judge_header()) co_return *refusal;
  std::string changed;
  if (client_.role == Role::submission && mail_->facts.bcc) {
    changed = without_bcc(header);
    header = changed;
  }
  mail_->header = header.substr(0, threading_header);
  for (const Bytes piece : {header, rest}) {
    if (piece.empty()) continue;
    auto appended = co_await mail_->upload->append(piece);
    if (!appended) co_return storage_reply(appended.error(), with_.engine.health());
  }
  co_return Reply{};
}

std::optional<Reply> StoreArrival::judge_header() const {
  // RFC 5321 §6.3: more hops than any honest way has.
  if (mail_->facts.received > parameters_->received_fields) {
    return refuse(554, "5.4.6", "This message goes round in circles");
  }
  if (loops()) return refuse(554, "5.4.6", "This message was delivered here before");
  return judge_from();
}

// RFC 9228 §3: it has been at one of these addresses already.
bool StoreArrival::loops() const {
  if (client_.role == Role::submission || mail_->facts.delivered_to.empty()) return false;
  return std::ranges::any_of(mail_->recipients, [&](const Taken& taken) {
    return std::ranges::find(mail_->facts.delivered_to, taken.address.key()) != mail_->facts.delivered_to.end();
  });
}

std::optional<Reply> StoreArrival::judge_from() const {
  const HeaderFacts& facts = mail_->facts;
  // RFC 5322 §3.6: exactly one From. Two are a way to show one sender and verify another (RELIABILITY S20).
  if (facts.from_fields > 1) return refuse(550, "5.6.0", "The message has several From fields");
  // What comes by LMTP another server has taken already: refusing it here would only make bounces.
  if (client_.role == Role::exchanger) return judge_stranger();
  if (client_.role == Role::lmtp || facts.from_fields == 0) return std::nullopt;
  if (facts.from_damaged)
    return refuse(550, "5.6.0", "The From field cannot be read for certain: write it as Name <address>");
  for (const auto& one : facts.from) {
    // RFC 6409 §6.1, RELIABILITY S18: what the reader sees must belong to the login, too.
    const auto may = with_.directory.may_send_as(*account_, one.local, one.domain.text());
    if (!may) return smtp::to_reply(may.error());
    if (!*may) return refuse(550, "5.7.1", "This login may not send with the address in From");
  }
  return std::nullopt;
}

// RELIABILITY S20: whom one reader verifies, every other reader must show. A message without any author is a person
// with telnet; it names nobody, so it deceives nobody.
std::optional<Reply> StoreArrival::judge_stranger() const {
  const HeaderFacts& facts = mail_->facts;
  if (facts.from_damaged) return refuse(550, "5.6.0", "The From field cannot be read for certain");
  if (facts.from_fields == 0) {
    if (!facts.sender && !facts.resent) return std::nullopt;
    return refuse(550, "5.6.0", "The message has no From field, but names a sender elsewhere");
  }
  const auto& domain = facts.from.front().domain;
  if (std::ranges::any_of(facts.from, [&](const message::Address& one) { return one.domain != domain; })) {
    return refuse(550, "5.6.0", "The From field has addresses of several domains");
  }
  // RFC 5322 §3.6.2: who writes together must say who sends.
  if (facts.from.size() > 1 && !facts.sender) {
    return refuse(550, "5.6.0", "The From field has several addresses, and there is no Sender field");
  }
  return std::nullopt;
}

Task<Reply> StoreArrival::on(const smtp::AcceptContent&) {
  if (!mail_ || mail_->recipients.empty()) co_return refuse(503, "5.5.1", "No message has begun");
  if (!mail_->upload) mail_->upload = with_.engine.upload();
  if (!mail_->header_done) {  // A message without a body.
    const std::string gathered = std::exchange(mail_->header, {});
    const auto reply = co_await take_header(gathered, {});
    if (!reply.positive()) {
      mail_.reset();
      co_return reply;
    }
  }
  const auto content = mail_->upload->finish();
  auto settled = settlement(with_.queue.new_id(), content);
  const auto outcome = co_await commit(settled);
  report(settled, outcome);
  mail_.reset();
  if (!outcome) co_return storage_reply(outcome.error(), with_.engine.health());
  ++messages_;
  for (auto& entry : settled.entries) with_.queue.accepted(std::move(entry));
  co_return Reply{250, "2.0.0", "Ok: taken as " + settled.id};
}

StoreArrival::Settlement StoreArrival::settlement(queue::QueueId id, const store::BlobId& content) {
  Settlement settled;
  settled.number = id;
  settled.id = queue::to_string(id);
  settled.at = with_.clock.utc();
  settled.content = content;
  settled.size = mail_->upload->size();
  std::string common = received_field(settled.id, settled.at);
  if (client_.role == Role::submission) common += missing_fields(settled.id, settled.at);
  // Text without any header: an empty line keeps it out of ours.
  if (!mail_->facts.starts_well) common += "\r\n";
  for (const Taken& taken : mail_->recipients) place(settled, taken, common);
  return settled;
}

// One recipient: copies for accounts of ours, queue entries for the rest.
void StoreArrival::place(Settlement& to, const Taken& taken, const std::string& common) {
  // RFC 3461 §4.1: who asked to hear of success gets a report, which is the queue's business.
  if ((taken.parameters.notify & smtp::RcptParameters::success) != 0) return enqueue(to, taken, nullptr, common);
  for (const auto& destination : taken.resolution.destinations) {
    if (destination.kind == routing::Destination::Kind::remote) {
      enqueue(to, taken, &destination, common);
      continue;
    }
    const auto same = [&](const mailbox::Placing& one) { return one.account == destination.account; };
    if (std::ranges::any_of(to.placings, same)) continue;  // Through two aliases: one copy.
    mailbox::Placing placing;
    placing.account = destination.account;
    placing.received = to.at;
    // RFC 5321 §4.4: the trace of the final delivery; RFC 9228: under which address it came.
    placing.prefix =
        message::write_return_path(mail_->sender) + "Delivered-To: " + taken.address.text() + "\r\n" + common;
    to.placings.push_back(std::move(placing));
  }
}

// `destination` null: the recipient itself, to be resolved again when it is delivered.
void StoreArrival::enqueue(Settlement& to, const Taken& taken, const routing::Destination* destination,
                           const std::string& common) {
  // What an alias sends elsewhere says so, so that it is known when it comes back.
  const bool forwarded = destination != nullptr && taken.resolution.expanded;
  const std::string prefix = forwarded ? "Delivered-To: " + taken.address.text() + "\r\n" + common : common;
  const auto same = [&](const queue::Entry& entry) { return entry.prefix == prefix; };
  auto entry = std::ranges::find_if(to.entries, same);
  if (entry == to.entries.end()) {
    const auto id = to.entries.empty() ? to.number : with_.queue.new_id();
    to.entries.push_back(new_entry(id, to.content, prefix));
    entry = std::prev(to.entries.end());
    entry->trace = to.id;
    entry->arrived = to.at;
    entry->expires = to.at + parameters_->queue_expiry;
  }
  queue::Recipient recipient;
  recipient.address = destination != nullptr ? destination->address.text() : taken.address.text();
  recipient.original = taken.parameters.original;
  recipient.notify = taken.parameters.notify;
  recipient.next_try = to.at;
  const auto known = [&](const queue::Recipient& one) { return one.address == recipient.address; };
  if (std::ranges::none_of(entry->recipients, known)) entry->recipients.push_back(std::move(recipient));
}

queue::Entry StoreArrival::new_entry(queue::QueueId id, const store::BlobId& content, std::string prefix) const {
  queue::Entry entry;
  entry.id = id;
  entry.sender = mail_->sender ? mail_->sender->text() : "";
  entry.content = content;
  entry.content_size = mail_->upload->size();
  entry.prefix = std::move(prefix);
  entry.body_8bit = mail_->parameters.body_8bit;
  entry.smtputf8 = mail_->parameters.smtputf8;
  entry.authenticated = account_.has_value();
  entry.envelope_id = mail_->parameters.envelope_id;
  entry.ret = static_cast<std::uint8_t>(mail_->parameters.ret);
  return entry;
}

std::string StoreArrival::received_field(const std::string& id, UtcTime at) const {
  message::ReceivedBy by;
  by.helo = helo_;
  if (client_.role != Role::submission || parameters_->add_received_ip) by.peer = client_.address;
  by.by = parameters_->hostname;
  by.extended = extended_;
  by.lmtp = client_.role == Role::lmtp;
  by.tls = tls_;
  by.authenticated = account_.has_value();
  by.utf8 = mail_->parameters.smtputf8;
  by.tls_version = tls_protocol_;
  by.tls_cipher = tls_cipher_;
  by.id = id;
  // RFC 5321 §7.2: with several recipients it would tell one of the other.
  if (mail_->recipients.size() == 1) by.for_address = mail_->recipients.front().address.text();
  by.at = at;
  return message::write_received(by);
}

// RFC 6409 §8.2, §8.3: what the submitter left out. Fields of ours go in front, so the content stays as it came.
std::string StoreArrival::missing_fields(const std::string& id, UtcTime at) const {
  std::string fields;
  if (!mail_->facts.message_id) fields += "Message-ID: <" + id + "@" + parameters_->hostname + ">\r\n";
  if (!mail_->facts.date) fields += "Date: " + message::write_date(at, 0) + "\r\n";
  if (mail_->facts.from_fields == 0 && mail_->sender) fields += "From: " + mail_->sender->text() + "\r\n";
  return fields;
}

// Copies and queue entries become durable together, or nothing does (DECISIONS.md 3).
Task<Result<void>> StoreArrival::commit(Settlement& settled) {
  store::Batch batch;
  for (const auto& entry : settled.entries) with_.queue.enter(entry, batch);
  if (settled.placings.empty()) {
    batch.add_blob(std::move(mail_->upload));
    auto committed = co_await with_.engine.commit(std::move(batch));
    co_return committed;
  }
  mailbox::NewMessage message;
  message.upload = std::move(mail_->upload);
  if (!message.upload->whole()) message.head = std::move(mail_->header);
  auto filed = co_await with_.mailboxes.file(std::move(message), settled.placings, std::move(batch));
  if (!filed) co_return failed(filed);
  co_return Result<void>();
}

void StoreArrival::report(const Settlement& settled, const Result<void>& outcome) const {
  auto told = event(outcome ? "message_accepted" : "message_not_accepted");
  told.field("message", settled.id)
      .field("sender", mail_->sender ? mail_->sender->text() : "<>")
      .field("size_bytes", settled.size)
      .field("recipients", mail_->recipients.size())
      .field("copies", settled.placings.size())
      .field("queued", settled.entries.size())
      .field("login", login_);
  if (!outcome) told.failure(outcome.error());
}

}  // namespace facteur::reception
