// LIST with its extensions and LSUB (RFC 9051 §6.3.9; RFC 5258; RFC 5819; RFC 6154; RFC 3501 §6.3.9).
#include <algorithm>
#include <map>
#include <set>

#include "imap/mailbox_name.hpp"
#include "server/imap_connection.hpp"

namespace facteur::server {
namespace {

// One name that may be listed.
struct Entry {
  const mailbox::MailboxSummary* mailbox = nullptr;  // nullptr: only subscribed, does not exist.
  bool subscribed = false;
  bool has_children = false;
  bool subscribed_below = false;  // And not shown by the pattern itself.
};

// INBOX first, then by name (levels sort before longer names).
struct InboxFirst {
  bool operator()(const std::string& a, const std::string& b) const {
    if ((a == "INBOX") != (b == "INBOX")) return a == "INBOX";
    return std::ranges::lexicographical_compare(a, b, {}, key, key);
  }
  static unsigned key(char c) { return c == imap::hierarchy_delimiter ? 0 : static_cast<unsigned char>(c); }
};
using Entries = std::map<std::string, Entry, InboxFirst>;

std::string_view use_of(mailbox::Role role) {
  switch (role) {
    case mailbox::Role::all:
      return "\\All";
    case mailbox::Role::archive:
      return "\\Archive";
    case mailbox::Role::drafts:
      return "\\Drafts";
    case mailbox::Role::flagged:
      return "\\Flagged";
    case mailbox::Role::junk:
      return "\\Junk";
    case mailbox::Role::sent:
      return "\\Sent";
    case mailbox::Role::trash:
      return "\\Trash";
    case mailbox::Role::important:
      return "\\Important";
    case mailbox::Role::none:
    case mailbox::Role::inbox:
      return {};
  }
  return {};
}

// Calls `visit` for each name above `path`.
template <class Visit>
void for_each_parent(const std::string& path, const Visit& visit) {
  for (auto at = path.rfind(imap::hierarchy_delimiter); at != std::string::npos && at > 0;
       at = path.rfind(imap::hierarchy_delimiter, at - 1)) {
    visit(path.substr(0, at));
  }
}

bool fits(const imap::ListCommand& command, const std::string& path) {
  return std::ranges::any_of(command.patterns, [&](const std::string& pattern) {
    return imap::matches_pattern(command.reference + pattern, path);
  });
}

Entries collect(const imap::ListCommand& command, const std::vector<mailbox::MailboxSummary>& mailboxes,
                const std::vector<std::string>& subscriptions) {
  Entries entries;
  for (const auto& mailbox : mailboxes) entries[mailbox.path].mailbox = &mailbox;
  for (const auto& path : subscriptions) entries[path].subscribed = true;
  for (const auto& [path, entry] : entries) {
    // RFC 5258 §3.5: CHILDINFO tells of names the pattern does not show by itself.
    const bool hidden = entry.subscribed && command.select_recursive_match && !fits(command, path);
    for_each_parent(path, [&](const std::string& parent) {
      const auto above = entries.find(parent);
      if (above == entries.end()) return;
      above->second.has_children = above->second.has_children || entry.mailbox != nullptr;
      above->second.subscribed_below = above->second.subscribed_below || hidden;
    });
  }
  return entries;
}

void write_entry(imap::ResponseWriter& out, const imap::ListCommand& command, const std::string& path,
                 const Entry& entry, bool tell_below) {
  out.raw("* LIST (");
  bool first = true;
  const auto attribute = [&](std::string_view name) {
    if (name.empty()) return;
    if (!first) out.raw(" ");
    first = false;
    out.raw(name);
  };
  if (entry.mailbox == nullptr) {
    attribute("\\NonExistent");
  } else if (!entry.mailbox->selectable) {
    attribute("\\NoSelect");
  }
  // RFC 9051 §7.3.1: children are always told; so are special uses, as many clients ask for nothing.
  attribute(entry.has_children ? "\\HasChildren" : "\\HasNoChildren");
  if (entry.subscribed && (command.return_subscribed || command.select_subscribed)) attribute("\\Subscribed");
  if (entry.mailbox != nullptr) attribute(use_of(entry.mailbox->role));
  out.raw(") \"/\" ").mailbox(path);
  if (tell_below) out.raw(" (\"CHILDINFO\" (\"SUBSCRIBED\"))");  // RFC 9051 §6.3.9.6.
  out.line_end();
}

}  // namespace

Task<imap::Outcome> ImapConnection::list(const imap::ListCommand& command) {
  auto& out = session_.responses();
  if (!command.extended && command.patterns.front().empty()) {
    out.raw("* LIST (\\NoSelect) \"/\" \"\"\r\n");  // RFC 9051 §6.3.9: asks for the delimiter.
    co_return ok("LIST completed");
  }
  auto mailboxes = co_await doors_.mailboxes.list(account_);
  if (!mailboxes) co_return failed_with(mailboxes.error());
  auto subscriptions = co_await doors_.mailboxes.subscriptions(account_);
  if (!subscriptions) co_return failed_with(subscriptions.error());
  const auto entries = collect(command, *mailboxes, *subscriptions);
  for (const auto& [path, entry] : entries) {
    const bool special = entry.mailbox != nullptr && !use_of(entry.mailbox->role).empty();
    const bool chosen = (!command.select_subscribed || entry.subscribed) && (!command.select_special_use || special) &&
                        (command.select_subscribed || entry.mailbox != nullptr);
    const bool below = command.select_recursive_match && command.select_subscribed && entry.subscribed_below;
    if ((!chosen && !below) || !fits(command, path)) continue;
    write_entry(out, command, path, entry, below);
    // RFC 5819 §2: STATUS only of what can be selected.
    if (!command.return_status.empty() && entry.mailbox != nullptr && entry.mailbox->selectable) {
      write_status(*entry.mailbox, command.return_status);
    }
    if (out.full() && !co_await flush()) break;
  }
  co_return ok("LIST completed");
}

Task<imap::Outcome> ImapConnection::lsub(const imap::ListCommand& command) {
  auto& out = session_.responses();
  auto subscriptions = co_await doors_.mailboxes.subscriptions(account_);
  if (!subscriptions) co_return failed_with(subscriptions.error());
  // RFC 3501 §6.3.9: a level above a subscribed name that '%' stops at is listed with \NoSelect.
  std::map<std::string, bool, InboxFirst> listed;  // Name -> subscribed itself.
  for (const auto& path : *subscriptions) {
    if (fits(command, path)) listed[path] = true;
    for_each_parent(path, [&](const std::string& parent) {
      if (command.patterns.front().ends_with('%') && fits(command, parent)) listed.try_emplace(parent, false);
    });
  }
  for (const auto& [path, subscribed] : listed) {
    out.raw(subscribed ? "* LSUB () \"/\" " : "* LSUB (\\NoSelect) \"/\" ").mailbox(path).line_end();
    if (out.full() && !co_await flush()) break;
  }
  co_return ok("LSUB completed");
}

}  // namespace facteur::server
