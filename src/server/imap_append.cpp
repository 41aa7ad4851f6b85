// APPEND and MULTIAPPEND (RFC 9051 §6.3.12, RFC 3502): literals stream into uploads of the store; one commit at the
// end.
#include <algorithm>

#include "server/imap_connection.hpp"

namespace facteur::server {
namespace {

constexpr std::size_t head_octets = 64 * 1024;  // What threads are found by.
constexpr std::uint64_t small_message = 64 * 1024;
constexpr std::uint64_t most_held = 512 * 1024;  // Of small messages of one APPEND in memory (DECISIONS.md 26).
constexpr std::size_t most_messages = 1000;      // Of one MULTIAPPEND: all are one commit.

}  // namespace

Task<void> ImapConnection::begin_append(const imap::BeginAppend& begin) {
  const auto& parameters = begin.parameters;
  if (begin.first) {
    appending_ = std::make_unique<Appending>();
    // RELIABILITY R5: what is left of the disk is for deletions and what is under way.
    if (doors_.engine.health() != store::Engine::Health::good) {
      session_.append_refused("UNAVAILABLE", "Nothing new can be stored now: try again later");
      co_return;
    }
    auto found = co_await doors_.mailboxes.find(account_, parameters.mailbox);
    if (!found) {
      session_.append_refused("UNAVAILABLE", found.error().text);
      co_return;
    }
    if (!*found || !(*found)->selectable) {
      session_.append_refused("TRYCREATE", "No such mailbox");
      co_return;
    }
    appending_->mailbox = (*found)->id;
    appending_->room = UINT64_MAX;
    const auto account = doors_.directory.account(account_);
    const auto usage = doors_.mailboxes.usage(account_);
    if (account && *account && (*account)->quota_bytes > 0 && usage) {
      const auto quota = (*account)->quota_bytes;
      appending_->room = quota > usage->bytes ? quota - usage->bytes : 0;
    }
  } else {
    finish_message();
  }
  // RELIABILITY S40: the quota is looked at before the client is told to go on.
  appending_->bytes += parameters.size;
  if (appending_->bytes > appending_->room) {
    session_.append_refused("OVERQUOTA", "Over quota");
    co_return;
  }
  if (appending_->messages.size() == most_messages) {
    session_.append_refused("LIMIT", "Too many messages in one APPEND");
    co_return;
  }
  mailbox::Placing placing;
  placing.account = account_;
  placing.path = parameters.mailbox;
  placing.flag_bits = parameters.flags.bits;
  placing.keywords = parameters.flags.keywords;
  placing.received = parameters.received;
  appending_->messages.emplace_back(mailbox::NewMessage(), std::move(placing));
  // Small messages wait in memory: their structure is then made with the commit, and not later.
  appending_->in_memory = parameters.size <= small_message && appending_->held + parameters.size <= most_held;
  if (appending_->in_memory) {
    appending_->held += parameters.size;
    appending_->messages.back().first.octets.reserve(static_cast<std::size_t>(parameters.size));
  } else {
    appending_->upload = doors_.engine.upload();
  }
  appending_->head.clear();
  session_.append_accepted();
}

Task<void> ImapConnection::append_content(const imap::AppendContent& content) {
  if (appending_->in_memory) {
    appending_->messages.back().first.octets += content.content;
    session_.content_taken();
    co_return;
  }
  auto& head = appending_->head;
  if (head.size() < head_octets) head += content.content.substr(0, head_octets - head.size());
  auto taken = co_await appending_->upload->append(content.content);
  if (!taken) {
    connection_.scope.event("imap_append_failed").failure(taken.error());
    session_.append_refused("UNAVAILABLE", taken.error().text);
    co_return;
  }
  session_.content_taken();
}

// The message whose literal has come to its end.
void ImapConnection::finish_message() {
  if (appending_->upload == nullptr) return;
  appending_->upload->finish();
  auto& message = appending_->messages.back().first;
  message.upload = std::move(appending_->upload);
  message.head = std::move(appending_->head);
}

Task<imap::Outcome> ImapConnection::append() {
  finish_message();
  const auto appending = std::move(appending_);
  auto placed = co_await doors_.mailboxes.append(account_, appending->mailbox, std::move(appending->messages));
  if (!placed) {
    // RFC 9051 §6.3.12: the mailbox may have gone while the message came.
    if (placed.error().code == mailbox::no_such_mailbox) co_return no("TRYCREATE", "No such mailbox");
    co_return failed_with(placed.error());
  }
  news_ = selected_ != nullptr;
  if (placed->empty()) co_return ok("APPEND completed");
  recent_.arrived(account_, appending->mailbox, placed->front().uid);
  std::vector<std::uint32_t> uids;
  for (const auto& one : *placed) uids.push_back(one.uid.value);
  co_return ok("APPEND completed",
               "APPENDUID " + std::to_string(placed->front().uidvalidity.value) + " " + imap::to_set_text(uids));
}

}  // namespace facteur::server
