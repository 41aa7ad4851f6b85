// The questions of a session in their order: client, sender, recipients. Content and commit are in acceptance.cpp.
#include "reception/arrival.hpp"

#include "base/ascii.hpp"

namespace facteur::reception {
namespace {

using smtp::Reply;

std::string sender_text(const std::optional<message::Address>& sender) { return sender ? sender->text() : "<>"; }

}  // namespace

StoreArrival::StoreArrival(Surroundings surroundings, std::shared_ptr<const Parameters> parameters,
                           std::shared_ptr<LargeHeaders> large_headers, const Client& client, observe::Scope scope)
    : with_(surroundings),
      parameters_(std::move(parameters)),
      large_headers_(std::move(large_headers)),
      client_(client),
      scope_(std::move(scope)) {}

StoreArrival::~StoreArrival() = default;

void StoreArrival::secured(std::string protocol, std::string cipher) {
  tls_ = true;
  tls_protocol_ = std::move(protocol);
  tls_cipher_ = std::move(cipher);
}

void StoreArrival::logged_in(directory::AccountId account, std::string login) {
  account_ = account;
  login_ = std::move(login);
}

void StoreArrival::logged_out() {
  account_.reset();
  login_.clear();
}

Task<Reply> StoreArrival::on(const smtp::AcceptClient&) { co_return Reply{}; }

Task<Reply> StoreArrival::on(const smtp::Greeted& greeted) {
  // RFC 5321 §4.1.4 forbids refusing a name because it cannot be verified; that it is a full name may be demanded
  // (RFC 5321 §2.3.5), and only if the operator says so.
  if (parameters_->require_fqdn && client_.role == Role::exchanger && !greeted.name.contains('.') &&
      !greeted.name.starts_with('[')) {
    co_return Reply{550, "5.7.1", "Give your full host name"};
  }
  helo_ = greeted.name;
  extended_ = greeted.extended;
  co_return Reply{};
}

Task<Reply> StoreArrival::on(const smtp::AcceptSender& sender) {
  mail_.reset();
  Reply reply = judge_sender(sender);
  if (!reply.positive()) {
    event("message_sender_refused")
        .level(observe::Level::warning)
        .field("sender", sender_text(sender.sender))
        .field("reply", reply.text);
    co_return reply;
  }
  mail_.emplace();
  mail_->sender = sender.sender;
  mail_->parameters = sender.parameters;
  co_return reply;
}

Reply StoreArrival::judge_sender(const smtp::AcceptSender& sender) {
  switch (with_.engine.health()) {
    case store::Engine::Health::good:
      break;
    case store::Engine::Health::low_space:  // DECISIONS.md 13: refused early, while there is still room to finish.
      return {452, "4.3.1", "The disk is nearly full: try again later"};
    case store::Engine::Health::index_behind:
      return {452, "4.3.1", "The index cannot be written now: try again later"};
    case store::Engine::Health::read_only:
      return {451, "4.3.0", "Nothing can be stored now: try again later"};
  }
  if (client_.role != Role::submission) return {};
  if (!account_) return {530, "5.7.0", "Log in first"};
  if (!sender.sender) return {};  // Reports of mail programs (RFC 8098 §3) come from the null path.
  const auto& from = *sender.sender;
  // RFC 6409 §6.1: a login sends as itself.
  const auto may = with_.directory.may_send_as(*account_, from.local, from.domain.text());
  if (!may) return smtp::to_reply(may.error());
  if (!*may) return {550, "5.7.1", "This login may not send with this address"};
  return {};
}

Task<Reply> StoreArrival::on(const smtp::AcceptRecipient& recipient) {
  if (!mail_) co_return Reply{503, "5.5.1", "No message has begun"};
  Reply reply = judge_recipient(recipient);
  if (!reply.positive()) {
    event("message_recipient_refused")
        .field("sender", sender_text(mail_->sender))
        .field("recipient", recipient.recipient.text())
        .field("code", reply.code)
        .field("reply", reply.text);
  }
  co_return reply;
}

Reply StoreArrival::judge_recipient(const smtp::AcceptRecipient& recipient) {
  // RFC 5321 §3.6.2, §7.9: only those we know may have mail sent anywhere.
  const bool may_relay = client_.role == Role::submission && account_.has_value();
  auto resolution = routing::resolve(with_.directory, parameters_->routing, recipient.recipient, may_relay);
  if (!resolution) return smtp::to_reply(resolution.error());
  if (resolution->destinations.empty()) {
    const std::string text = resolution->why ? resolution->why->text : "Nobody gets mail at this address";
    return {550, resolution->enhanced, text};
  }
  if (!resolution->expanded && resolution->destinations.size() == 1) {
    if (auto refusal = mailbox_refuses(resolution->destinations.front())) return *refusal;
  }
  mail_->recipients.push_back({recipient.recipient, recipient.parameters, std::move(*resolution)});
  return {};
}

// DEMAND.md row 60: who cannot take the mail says so now, so that no report has to be sent later.
std::optional<Reply> StoreArrival::mailbox_refuses(const routing::Destination& destination) const {
  if (destination.kind != routing::Destination::Kind::account) return std::nullopt;
  const auto account = with_.directory.account(destination.account);
  if (!account) return smtp::to_reply(account.error());
  if (!*account) return Reply{550, "5.1.1", "No such user here"};
  if (!(*account)->enabled) return Reply{450, "4.2.1", "This mailbox takes no mail now"};
  if ((*account)->quota_bytes == 0) return std::nullopt;
  const auto usage = with_.mailboxes.usage(destination.account);
  if (!usage) return smtp::to_reply(usage.error());
  const std::uint64_t size = mail_->parameters.size.value_or(0);
  if (usage->bytes >= (*account)->quota_bytes || size > (*account)->quota_bytes - usage->bytes) {
    return Reply{552, "5.2.2", "This mailbox is full"};
  }
  return std::nullopt;
}

}  // namespace facteur::reception
