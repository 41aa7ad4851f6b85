// Mailboxes as a hierarchy: RFC 9051 §6.3.4 to §6.3.9.
#include <algorithm>

#include "mailbox/keys.hpp"
#include "mailbox/paths.hpp"
#include "mailbox/service.hpp"

namespace facteur::mailbox {
namespace {

std::unexpected<Failure> no_mailbox() { return failure(Failure::Kind::permanent, no_such_mailbox, "No such mailbox"); }

Result<std::string> creatable_path(std::string path) {
  // RFC 9051 §6.3.4: a hierarchy separator at the end only declares that names will be created under it.
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return checked_path(path);
}

}  // namespace

MailboxSummary summary_of(const AccountState& state, const Container& container) {
  MailboxSummary summary;
  summary.id = container.id;
  summary.parent = container.parent;
  summary.path = state.path(container);
  summary.role = container.role;
  summary.subscribed = state.subscriptions.contains(summary.path);
  summary.selectable = container.selectable;
  summary.uidvalidity = container.uidvalidity;
  summary.uidnext = Uid(container.uidnext);
  summary.highest_modseq = ModSeq(container.high);
  summary.total = container.total;
  summary.unread = container.unread;
  summary.deleted = container.deleted;
  summary.bytes = container.bytes;
  return summary;
}

const Container* find_path(const Transaction& transaction, const std::string& path) {
  const Container* at = nullptr;
  for (const std::string_view level : levels(path)) {
    at = transaction.child(at ? at->id : MailboxId{}, level);
    if (at == nullptr) return nullptr;
  }
  return at;
}

Result<MailboxId> make_path(Transaction& transaction, const std::string& path, Role role) {
  const auto parts = levels(path);
  MailboxId at;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool last = i + 1 == parts.size();
    if (const Container* there = transaction.child(at, parts[i])) {
      at = there->id;
      continue;
    }
    auto made =
        transaction.make_container({.name = std::string(parts[i]), .parent = at, .role = last ? role : Role::none});
    if (!made) return made;
    at = *made;
  }
  return at;
}

Task<Result<std::vector<MailboxSummary>>> Service::list(AccountId account) {
  return at_home(account, list_here(account));
}

Task<Result<std::vector<MailboxSummary>>> Service::list_here(AccountId id) {
  const auto account = account_here(id);
  auto state = co_await account->published();
  if (!state) co_return failed(state);
  std::vector<MailboxSummary> found;
  for (const auto& [mailbox, container] : (*state)->containers) {
    if (container.kind == ContainerKind::mail) found.push_back(summary_of(**state, container));
  }
  std::ranges::sort(found, {}, &MailboxSummary::path);
  co_return found;
}

Task<Result<std::optional<MailboxSummary>>> Service::find(AccountId account, std::string path) {
  return at_home(account, find_here(account, std::move(path)));
}

Task<Result<std::optional<MailboxSummary>>> Service::find_here(AccountId id, std::string path) {
  using Found = std::optional<MailboxSummary>;
  const auto account = account_here(id);
  auto state = co_await account->published();
  if (!state) co_return failed(state);
  const auto checked = checked_path(path);
  const Container* container = checked ? (*state)->find_path(*checked) : nullptr;
  if (container == nullptr || container->kind != ContainerKind::mail) co_return Found();
  co_return Found(summary_of(**state, *container));
}

Task<Result<MailboxId>> Service::create(AccountId account, std::string path, Role role) {
  return at_home(account, create_here(account, std::move(path), role));
}

Task<Result<MailboxId>> Service::create_here(AccountId id, std::string path, Role role) {
  auto checked = creatable_path(std::move(path));
  if (!checked) co_return failed(checked);
  const auto account = account_here(id);
  auto held = co_await account->turn();
  auto loaded = co_await account->load_carried();
  if (!loaded) co_return failed(loaded);
  const auto has_role = [role](const auto& entry) { return entry.second.role == role; };
  if (role != Role::none && std::ranges::any_of(account->state().containers, has_role)) {
    co_return failure(Failure::Kind::permanent, role_taken, "Another mailbox has this role");
  }
  Transaction transaction = account->begin();
  Result<MailboxId> made = MailboxId();
  if (const Container* there = find_path(transaction, *checked)) {
    if (there->selectable) co_return failure(Failure::Kind::permanent, mailbox_exists, "The mailbox exists already");
    made = there->id;
    auto revived = transaction.set_selectable(there->id, true);  // RFC 9051 §6.3.4: under a new UIDVALIDITY.
    if (!revived) co_return failed(revived);
  } else {
    made = make_path(transaction, *checked, role);
    if (!made) co_return made;
  }
  auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
  if (!committed) co_return failed(committed);
  co_return made;
}

// Expunges all messages of a mailbox, `bulk` in each transaction. Others may arrive meanwhile.
Task<Result<void>> Service::drop_all(std::shared_ptr<Account> account, MailboxId mailbox) {
  for (;;) {
    auto held = co_await account->turn();
    auto loaded = co_await account->load_carried();
    if (!loaded) co_return loaded;
    Transaction transaction = account->begin();
    const Container* container = transaction.find(mailbox);
    if (container == nullptr) co_return no_mailbox();
    const std::string path = account->state().path(*container);
    auto uids = transaction.uids(mailbox);
    if (!uids) co_return failed(uids);
    if (uids->size() <= bulk) co_return Result<void>{};  // The rest goes with the mailbox.
    std::size_t count = 0;
    for (const Uid uid : *uids) {  // Past those that cannot be read.
      auto gone = transaction.expunge(mailbox, uid, path);
      if (!gone && gone.error().kind != Failure::Kind::corrupt) co_return gone;
      if (gone && ++count == bulk) break;
    }
    auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
    if (!committed || count < bulk) co_return committed;
  }
}

Task<Result<void>> Service::remove(AccountId account, std::string path) {
  return at_home(account, remove_here(account, std::move(path)));
}

Task<Result<void>> Service::remove_here(AccountId id, std::string path) {
  auto checked = checked_path(path);
  if (!checked) co_return no_mailbox();
  const auto account = account_here(id);
  auto state = co_await account->published();
  if (!state) co_return failed(state);
  const Container* known = (*state)->find_path(*checked);
  if (known == nullptr || known->kind != ContainerKind::mail) co_return no_mailbox();
  // RFC 9051 §6.3.5: INBOX cannot be deleted.
  if (known->role == Role::inbox) {
    co_return failure(Failure::Kind::permanent, mailbox_is_inbox, "INBOX cannot be deleted");
  }
  const MailboxId mailbox = known->id;
  auto dropped = co_await drop_all(account, mailbox);
  if (!dropped) co_return dropped;

  auto held = co_await account->turn();
  auto loaded = co_await account->load_carried();
  if (!loaded) co_return loaded;
  Transaction transaction = account->begin();
  const Container* container = transaction.find(mailbox);
  if (container == nullptr) co_return no_mailbox();
  const bool parent = transaction.has_children(mailbox);
  if (parent && !container->selectable) {
    co_return failure(Failure::Kind::permanent, mailbox_has_children, "The mailbox has others below it");
  }
  auto uids = transaction.uids(mailbox);
  if (!uids) co_return failed(uids);
  for (const Uid uid : *uids) {
    auto gone = transaction.expunge(mailbox, uid, *checked);
    if (!gone && gone.error().kind != Failure::Kind::corrupt) co_return gone;
    if (!gone) account->report(keys::placement(id, mailbox, uid), "placement dropped with its mailbox");
  }
  // RFC 9051 §6.3.5: names below it stay, so its own stays as \NoSelect.
  auto removed = parent ? transaction.set_selectable(mailbox, false) : transaction.remove_container(mailbox);
  if (!removed) co_return removed;
  co_return co_await account->commit(transaction, store::Batch(), std::move(held));
}

Task<Result<void>> Service::rename(AccountId account, std::string from, std::string to) {
  return at_home(account, rename_here(account, std::move(from), std::move(to)));
}

Task<Result<void>> Service::rename_here(AccountId id, std::string from, std::string to) {
  auto source = checked_path(from);
  if (!source) co_return no_mailbox();
  auto target = creatable_path(std::move(to));
  if (!target) co_return failed(target);
  const auto account = account_here(id);
  auto held = co_await account->turn();
  auto loaded = co_await account->load_carried();
  if (!loaded) co_return loaded;
  Transaction transaction = account->begin();
  const Container* container = find_path(transaction, *source);
  if (container == nullptr || container->kind != ContainerKind::mail) co_return no_mailbox();
  const Container* there = find_path(transaction, *target);
  if (there != nullptr && (there->id != container->id || *source == *target)) {
    co_return failure(Failure::Kind::permanent, mailbox_exists, "The mailbox exists already");
  }
  if (container->role == Role::inbox) {
    held.release();
    co_return co_await rename_inbox(account, std::move(*target));
  }
  if (fold(*target).starts_with(fold(*source) + "/")) {
    co_return failure(Failure::Kind::permanent, bad_mailbox_name, "A mailbox cannot be below itself");
  }
  const MailboxId mailbox = container->id;
  MailboxId parent;
  const auto slash = target->rfind('/');
  if (slash != std::string::npos) {
    auto made = make_path(transaction, target->substr(0, slash), Role::none);
    if (!made) co_return failed(made);
    parent = *made;
  }
  auto renamed = transaction.rename_container(mailbox, parent, target->substr(slash + 1));  // npos + 1 is 0.
  if (!renamed) co_return renamed;
  co_return co_await account->commit(transaction, store::Batch(), std::move(held));
}

// RFC 9051 §6.3.6: renaming INBOX moves its messages to a new mailbox and leaves INBOX empty; names below it stay.
Task<Result<void>> Service::rename_inbox(std::shared_ptr<Account> account, std::string to) {
  auto made = co_await create_here(account->id(), std::move(to), Role::none);
  if (!made) co_return failed(made);
  for (;;) {
    auto held = co_await account->turn();
    auto loaded = co_await account->load_carried();
    if (!loaded) co_return loaded;
    Transaction transaction = account->begin();
    const Container* inbox = transaction.child({}, "INBOX");
    if (inbox == nullptr) co_return no_mailbox();
    const MailboxId from = inbox->id;
    auto uids = transaction.uids(from);
    if (!uids) co_return failed(uids);
    if (uids->empty()) co_return Result<void>{};
    std::size_t count = 0;
    for (const Uid uid : *uids) {  // Past those that cannot be read.
      auto moved = transaction.move(from, uid, *made);
      if (!moved && moved.error().kind != Failure::Kind::corrupt) co_return failed(moved);
      if (moved && ++count == bulk) break;
    }
    auto committed = co_await account->commit(transaction, store::Batch(), std::move(held));
    if (!committed || count < bulk) co_return committed;
  }
}

Task<Result<void>> Service::subscribe(AccountId account, std::string path, bool on) {
  return at_home(account, subscribe_here(account, std::move(path), on));
}

Task<Result<void>> Service::subscribe_here(AccountId id, std::string path, bool on) {
  auto checked = creatable_path(std::move(path));
  if (!checked) co_return failed(checked);
  const auto account = account_here(id);
  auto held = co_await account->turn();
  auto loaded = co_await account->load_carried();
  if (!loaded) co_return loaded;
  if (account->state().subscriptions.contains(*checked) == on) co_return Result<void>{};
  if (on && account->state().subscriptions.size() >= 10'000) {
    co_return failure(Failure::Kind::permanent, limit_reached, "Too many subscriptions");
  }
  Transaction transaction = account->begin();
  transaction.subscribe(*checked, on);
  co_return co_await account->commit(transaction, store::Batch(), std::move(held));
}

Task<Result<std::vector<std::string>>> Service::subscriptions(AccountId account) {
  return at_home(account, subscriptions_here(account));
}

Task<Result<std::vector<std::string>>> Service::subscriptions_here(AccountId id) {
  const auto account = account_here(id);
  auto state = co_await account->published();
  if (!state) co_return failed(state);
  const auto& set = (*state)->subscriptions;
  co_return std::vector<std::string>(set.begin(), set.end());
}

}  // namespace facteur::mailbox
