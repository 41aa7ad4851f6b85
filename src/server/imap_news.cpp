// What changed in the selected mailbox, told to the client (RFC 9051 §5.2, §7.4, §7.5; RFC 7162 §3.1.4).
#include <algorithm>

#include "server/imap_connection.hpp"

namespace facteur::server {

Task<void> ImapConnection::announce(bool may_expunge) {
  if (selected_ == nullptr) co_return;
  news_ = false;
  auto latest = co_await doors_.mailboxes.view(account_, selected_->id);
  // A mailbox that is gone keeps its last view: nothing more will be told of it.
  if (!latest) co_return;
  const auto before = selected_->view;
  selected_->newest = *latest;
  if ((*latest)->highest_modseq() == before->highest_modseq() && (*latest)->size() == before->size() &&
      (*latest)->uidnext() == before->uidnext()) {
    selected_->newest = before;
    co_return;
  }
  const auto changes = mailbox::diff(*before, **latest);
  if (!may_expunge && !changes.vanished.empty()) {
    news_ = true;  // To be told at the next command that allows it.
    co_return;
  }
  auto& out = session_.responses();
  if (session_.features().qresync && !changes.vanished.empty()) {
    // RFC 7162 §3.2.10.2: UIDs in place of numbers.
    out.raw("* VANISHED ").raw(set_text(changes.vanished, true)).line_end();
  } else {
    // From the highest number down, so that each number is still the one the client knows (RFC 9051 §7.5.1).
    for (auto vanished = changes.vanished.rbegin(); vanished != changes.vanished.rend(); ++vanished) {
      const auto row = before->find(*vanished);
      if (!row) continue;
      out.raw("* ").number(*row + 1).raw(" EXPUNGE\r\n");
      if (out.full() && !co_await flush()) co_return;
    }
  }
  selected_->view = std::move(*latest);
  if (selected_->view->size() > before->size() - changes.vanished.size()) {
    claim_recent(*selected_->view);
    out.raw("* ").number(selected_->view->size()).raw(" EXISTS\r\n");
    if (!session_.features().rev2) out.raw("* ").number(recent_count(*selected_->view)).raw(" RECENT\r\n");
  }
  if (changes.changed.empty() && changes.appeared.empty()) {
    selected_->told.clear();
    co_return;
  }
  const auto names = keyword_names();
  // RFC 9051 §7.3.1: a new keyword, of a message that came or changed, is told before it is used.
  if (names.size() != selected_->keywords_told) write_flags_lists();
  const auto told = std::exchange(selected_->told, {});
  for (const auto uid : changes.changed) {
    const auto index = selected_->view->find(uid);
    if (!index) continue;
    const auto known = told.find(uid);
    // What this session did, it has told.
    if (known != told.end() && known->second == selected_->view->row(*index).modseq) continue;
    write_flags(*index, names);
    if (out.full() && !co_await flush()) co_return;
  }
}

// An unasked FETCH: the flags of a row of the view (RFC 9051 §7.5.2; RFC 7162 §3.1.4.1).
void ImapConnection::write_flags(std::size_t index, const std::vector<std::string>& names) {
  auto& out = session_.responses();
  const auto& features = session_.features();
  const auto row = selected_->view->row(index);
  imap::FetchedMessage message;
  message.flag_bits = row.flags.bits;
  message.keywords = row.flags.keywords;
  message.keyword_names = &names;
  message.recent = !features.rev2 && selected_->is_recent(row.uid);
  out.raw("* ").number(index + 1).raw(" FETCH (");
  if (features.condstore || features.rev2) out.raw("UID ").number(row.uid.value).raw(" ");
  if (features.condstore) out.raw("MODSEQ (").number(row.modseq.value).raw(") ");
  out.raw("FLAGS ");
  imap::append_fetched_flags(out.text(), message);
  out.raw(")\r\n");
}

// FLAGS and PERMANENTFLAGS: system flags and all keywords of the account; "\*": new ones can be made.
void ImapConnection::write_flags_lists() {
  auto& out = session_.responses();
  const auto names = keyword_names();
  selected_->keywords_told = names.size();
  std::string flags = "\\Answered \\Flagged \\Draft \\Deleted \\Seen";
  for (const auto& name : names) flags += " " + name;
  out.raw("* FLAGS (").raw(flags).raw(")\r\n");
  if (selected_->read_only) {
    out.raw("* OK [PERMANENTFLAGS ()] Read-only\r\n");
  } else {
    out.raw("* OK [PERMANENTFLAGS (").raw(flags).raw(" \\*)] Flags kept\r\n");
  }
}

void ImapConnection::claim_recent(const mailbox::View& view) {
  if (session_.features().rev2) return;  // RFC 9051 appendix E: there is no \Recent.
  auto& spans = selected_->recent;
  // Of the last few thousand only, so that opening a mailbox costs the same whatever its size.
  constexpr std::size_t most_rows = 2000;
  const bool known = recent_.knows(account_, selected_->id);
  const auto fresh = known ? view.uidnext() : view.arrived_since(started_, most_rows);
  const auto span = selected_->read_only ? recent_.peek(account_, selected_->id, view.uidnext(), fresh)
                                         : recent_.claim(account_, selected_->id, view.uidnext(), fresh);
  if (selected_->read_only) spans.clear();  // It looks at all of them each time.
  if (span.first == span.end) return;
  if (!spans.empty() && spans.back().end == span.first) {
    spans.back().end = span.end;
  } else {
    spans.push_back(span);
  }
}

std::size_t ImapConnection::recent_count(const mailbox::View& view) const {
  std::size_t count = 0;
  for (const auto& span : selected_->recent) count += view.lower_bound(span.end) - view.lower_bound(span.first);
  return count;
}

// RFC 7162 §3.1: the first command that uses CONDSTORE switches it on for the session, and the client is told where
// the mailbox stands.
void ImapConnection::enable_condstore() {
  auto& condstore = session_.features().condstore;
  if (condstore) return;
  condstore = true;
  if (selected_ == nullptr) return;
  const auto highest = std::max<std::uint64_t>(selected_->view->highest_modseq().value, 1);
  session_.responses().raw("* OK [HIGHESTMODSEQ ").number(highest).raw("] Highest\r\n");
}

std::vector<std::string> ImapConnection::keyword_names() const {
  auto names = doors_.mailboxes.keywords(account_);
  return names ? std::move(*names) : std::vector<std::string>();
}

}  // namespace facteur::server
