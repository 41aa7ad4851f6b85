// Who is told first of a message: the book behind \Recent (RFC 3501 §2.3.2). The rule stands in imap_service.hpp.
#pragma once

#include <mutex>
#include <unordered_map>

#include "mailbox/types.hpp"

namespace facteur::server {

// Thread-safe.
class RecentBook {
 public:
  struct Span {  // UIDs first <= uid < end are recent.
    mailbox::Uid first;
    mailbox::Uid end;
  };

  // What is recent in a mailbox whose next UID is `uidnext`, and from now on to nobody else. `fresh`: the first UID
  // that came since the server started; it counts if the book does not know the mailbox yet.
  Span claim(mailbox::AccountId account, mailbox::MailboxId mailbox, mailbox::Uid uidnext, mailbox::Uid fresh);

  // The same without taking it (EXAMINE, STATUS).
  Span peek(mailbox::AccountId account, mailbox::MailboxId mailbox, mailbox::Uid uidnext, mailbox::Uid fresh);

  bool knows(mailbox::AccountId account, mailbox::MailboxId mailbox);

  // Something came under this UID, whatever its date: it is recent if the book knew nothing of the mailbox.
  void arrived(mailbox::AccountId account, mailbox::MailboxId mailbox, mailbox::Uid uid);

 private:
  static constexpr std::size_t most_mailboxes = 1'000'000;

  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::uint32_t> unclaimed_;  // Mailbox -> the first UID nobody was told of.
};

}  // namespace facteur::server
