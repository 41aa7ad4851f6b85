#include "server/imap_recent.hpp"

#include <algorithm>

namespace facteur::server {

namespace {

// Mailbox ids have 48 bits and belong to an account: mixed, they make a key that practically never collides, and a
// collision would only show a message as recent to the wrong session.
std::uint64_t key_of(mailbox::AccountId account, mailbox::MailboxId mailbox) {
  return mailbox.value * 0x9e3779b97f4a7c15 ^ account.value;
}

}  // namespace

RecentBook::Span RecentBook::claim(mailbox::AccountId account, mailbox::MailboxId mailbox, mailbox::Uid uidnext,
                                   mailbox::Uid fresh) {
  const std::lock_guard lock(mutex_);
  if (unclaimed_.size() >= most_mailboxes) unclaimed_.clear();
  auto& first = unclaimed_.try_emplace(key_of(account, mailbox), fresh.value).first->second;
  // A session that saw an older state claims nothing that a newer one has claimed already.
  const Span span{mailbox::Uid(std::min(first, uidnext.value)), uidnext};
  first = std::max(first, uidnext.value);
  return span;
}

RecentBook::Span RecentBook::peek(mailbox::AccountId account, mailbox::MailboxId mailbox, mailbox::Uid uidnext,
                                  mailbox::Uid fresh) {
  const std::lock_guard lock(mutex_);
  const auto found = unclaimed_.find(key_of(account, mailbox));
  const auto first = found == unclaimed_.end() ? fresh.value : found->second;
  return {mailbox::Uid(std::min(first, uidnext.value)), uidnext};
}

bool RecentBook::knows(mailbox::AccountId account, mailbox::MailboxId mailbox) {
  const std::lock_guard lock(mutex_);
  return unclaimed_.contains(key_of(account, mailbox));
}

void RecentBook::arrived(mailbox::AccountId account, mailbox::MailboxId mailbox, mailbox::Uid uid) {
  const std::lock_guard lock(mutex_);
  unclaimed_.try_emplace(key_of(account, mailbox), uid.value);
}

}  // namespace facteur::server
