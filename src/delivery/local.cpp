#include "delivery/local.hpp"

#include <utility>

#include "message/received.hpp"

namespace facteur::delivery {

namespace {

constexpr std::uint64_t small = 256 * 1024;  // What is carried in memory; more goes by an upload.

Task<Result<mailbox::NewMessage>> message_of(const Surroundings& surroundings, const store::Content& content) {
  mailbox::NewMessage out;
  if (content.size() <= small) {
    out.octets = content.text();
    co_return out;
  }
  out.head = content.slice(0, 64 * 1024);
  out.upload = surroundings.engine.upload();
  for (Bytes piece : content.pieces()) {
    while (!piece.empty()) {
      const Bytes part = piece.substr(0, 64 * 1024);
      piece.remove_prefix(part.size());
      auto appended = co_await out.upload->append(part);
      if (!appended) co_return failed(appended);
    }
  }
  out.upload->finish();
  co_return out;
}

// Whether the account takes it: what reception checks when a recipient is offered, for mail that came by the queue.
std::optional<Outcome> account_refuses(const Surroundings& surroundings, const queue::Entry& entry,
                                       directory::AccountId id, std::uint64_t size) {
  const auto account = surroundings.directory.account(id);
  if (!account) return temporary("4.3.0", account.error().text);
  if (!*account) return permanent("5.1.1", "No such user here");
  if (!(*account)->enabled) return temporary("4.2.1", "This mailbox takes no mail now");
  const auto quota = (*account)->quota_bytes;
  if (quota == 0) return std::nullopt;
  const auto usage = surroundings.mailboxes.usage(id);
  if (!usage) return temporary("4.3.0", usage.error().text);
  if (usage->bytes < quota && size <= quota - usage->bytes) return std::nullopt;
  // A report for a full mailbox is not kept for days (DEMAND.md: the queue that filled a server).
  if (entry.sender.empty()) return permanent("5.2.2", "This mailbox is full");
  return temporary("4.2.2", "This mailbox is full");
}

}  // namespace

std::string local_prefix(const queue::Entry& entry, const message::Address& recipient) {
  std::optional<message::Address> sender;
  if (!entry.sender.empty()) sender = message::Address::parse(entry.sender);
  // RFC 5321 §4.4: the final delivery adds exactly one Return-Path.
  return message::write_return_path(sender) + "Delivered-To: " + recipient.text() + "\r\n" + entry.prefix;
}

Task<Outcome> deliver_here(const Surroundings& surroundings, const queue::Entry& entry,
                           const message::Address& recipient, directory::AccountId account,
                           const store::Content& content, store::Batch mark) {
  const auto prefix = local_prefix(entry, recipient);
  auto refusal = account_refuses(surroundings, entry, account, prefix.size() + content.size());
  if (refusal) co_return std::move(*refusal);
  auto message = co_await message_of(surroundings, content);
  if (!message) co_return temporary("4.3.0", message.error().text);
  std::vector<mailbox::Placing> placings(1);
  placings[0].account = account;
  placings[0].prefix = prefix;
  auto placed = co_await surroundings.mailboxes.file(std::move(*message), std::move(placings), std::move(mark));
  if (placed) {
    Outcome outcome;
    outcome.kind = Outcome::Kind::delivered;
    outcome.status = "2.1.5";
    outcome.reply = "filed";
    co_return outcome;
  }
  const auto& why = placed.error();
  // RFC 3463 §3.3: a full mailbox is 5.2.2; everything else of ours is temporary until it is proven final.
  if (why.kind == Failure::Kind::refused) co_return permanent("5.2.2", why.text);
  if (why.kind == Failure::Kind::permanent) co_return permanent("5.2.0", why.text);
  co_return temporary("4.3.0", why.text);
}

}  // namespace facteur::delivery
