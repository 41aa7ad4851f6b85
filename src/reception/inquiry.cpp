// Questions of others about us: VRFY (RFC 5321 §3.5) and ETRN (RFC 1985).
#include <algorithm>
#include <vector>

#include "base/ascii.hpp"
#include "reception/arrival.hpp"

namespace facteur::reception {
namespace {

using smtp::Reply;

// "<user@example.org>", "user@example.org" or "user".
std::string_view without_brackets(std::string_view text) {
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  return text;
}

bool waits_for(const queue::Entry& entry, std::string_view domain, bool below) {
  return std::ranges::any_of(entry.recipients, [&](const queue::Recipient& recipient) {
    if (recipient.status != queue::Recipient::Status::waiting) return false;
    const auto at = recipient.address.rfind('@');
    const auto its = ascii::lower(std::string_view(recipient.address).substr(at == std::string::npos ? 0 : at + 1));
    return its == domain || (below && its.ends_with("." + std::string(domain)));
  });
}

}  // namespace

Task<Reply> StoreArrival::on(const smtp::Verify& name) {
  const auto text = without_brackets(name.name);
  std::vector<std::string> candidates{std::string(text)};
  if (!text.contains('@')) {
    candidates.clear();
    for (const auto& domain : with_.directory.domains()) candidates.push_back(std::string(text) + "@" + domain);
  }
  std::vector<message::Address> found;
  for (const auto& candidate : candidates) {
    auto address = message::Address::parse(candidate);
    if (!address) continue;
    const auto target = with_.directory.resolve(address->local, address->domain.text());
    if (!target) co_return smtp::to_reply(target.error());
    using Kind = directory::Target::Kind;
    // RFC 5321 §3.5.3: 252 for what others have to know.
    if (target->kind == Kind::foreign) co_return Reply{252, "2.1.5", "That is not for us to know"};
    if (target->kind == Kind::account || target->kind == Kind::addresses) found.push_back(std::move(*address));
  }
  if (found.empty()) co_return Reply{550, "5.1.1", "No such user here"};
  // RFC 5321 §3.5.1: ambiguous names are 553, with the choices.
  if (found.size() > 1) {
    std::string choices = "Ambiguous; possibilities are";
    for (const auto& one : found) choices += "\n<" + one.text() + ">";
    co_return Reply{553, "5.1.4", choices};
  }
  co_return Reply{250, "2.1.5", "<" + found.front().text() + ">"};
}

Task<Reply> StoreArrival::on(const smtp::StartQueue& wanted) {
  // RFC 1985 §5.2: '@' means the domains below it, too; '#' a queue by name, of which there is none.
  std::string_view node = wanted.node;
  const bool below = node.starts_with('@');
  if (below) node.remove_prefix(1);
  const auto domain = message::Domain::parse(node);
  const auto& relayed = parameters_->routing.relay_domains;
  if (!domain || std::ranges::find(relayed, domain->text()) == relayed.end()) {
    co_return Reply{459, "5.7.1", "Not for this node"};
  }
  const auto entries = with_.queue.list();
  if (!entries) co_return Reply{458, "4.3.0", "The queue cannot be read now"};
  std::size_t started = 0;
  for (const auto& entry : *entries) {
    if (entry.held || !waits_for(entry, domain->text(), below)) continue;
    const auto retried = co_await with_.queue.retry(entry.id);
    started += retried ? 1 : 0;
  }
  event("queue_started_by_etrn").field("node", domain->text()).field("messages", started);
  if (started == 0) co_return Reply{251, "2.0.0", "Nothing waits for this node"};
  co_return Reply{253, "2.0.0", std::to_string(started) + " pending messages started"};
}

}  // namespace facteur::reception
