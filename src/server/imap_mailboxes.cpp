// SELECT, EXAMINE, CLOSE, UNSELECT, CREATE and STATUS (RFC 9051 §6.3, §6.4.1, §6.4.2).
#include <algorithm>
#include <array>

#include "base/ascii.hpp"
#include "server/imap_connection.hpp"

namespace facteur::server {
namespace {

struct NamedRole {
  std::string_view use;  // RFC 6154 §2, lower case without '\'.
  mailbox::Role role;
};
constexpr std::array uses{
    NamedRole{"all", mailbox::Role::all},       NamedRole{"archive", mailbox::Role::archive},
    NamedRole{"drafts", mailbox::Role::drafts}, NamedRole{"flagged", mailbox::Role::flagged},
    NamedRole{"junk", mailbox::Role::junk},     NamedRole{"sent", mailbox::Role::sent},
    NamedRole{"trash", mailbox::Role::trash},   NamedRole{"important", mailbox::Role::important},
};

}  // namespace

bool ImapConnection::Selected::is_recent(Uid uid) const {
  return std::ranges::any_of(recent, [uid](const auto& span) { return uid >= span.first && uid < span.end; });
}

mailbox::Row ImapConnection::Selected::row(std::size_t index) const {
  auto row = view->row(index);
  if (newest == view) return row;
  if (const auto now = newest->find(row.uid)) {
    auto current = newest->row(*now);
    row.flags = std::move(current.flags);
    row.modseq = current.modseq;
  }
  return row;
}

void ImapConnection::Selected::each(std::size_t first, std::size_t last, const mailbox::View::RowVisit& visit) const {
  if (newest == view) {
    view->each(first, last, visit);
    return;
  }
  for (auto index = first; index < last && visit(index, row(index));) ++index;
}

mailbox::Flags ImapConnection::Selected::known_flags(std::size_t index) const {
  auto known = view->row(index);
  if (told.empty()) return std::move(known.flags);
  const auto told_at = told.find(known.uid);
  if (told_at == told.end()) return known.flags;
  auto current = row(index);
  return current.modseq == told_at->second ? current.flags : known.flags;
}

Task<imap::Outcome> ImapConnection::select(const imap::SelectCommand& command) {
  // RFC 7162 §3.2.3: QRESYNC must be enabled before it is used.
  if (command.resync && !session_.features().qresync) co_return bad("ENABLE QRESYNC first");
  // RFC 9051 §6.3.2: the selected mailbox is closed first, whether or not the new one can be opened.
  const bool had_one = selected_ != nullptr;
  selected_.reset();
  news_ = false;
  auto refused = [](Outcome outcome) {
    outcome.move = Outcome::Move::unselect;
    return outcome;
  };
  if (had_one) session_.responses().raw("* OK [CLOSED] The former mailbox is closed\r\n");  // §7.1.
  auto found = co_await doors_.mailboxes.find(account_, command.mailbox);
  if (!found) co_return refused(failed_with(found.error()));
  if (!*found || !(*found)->selectable) co_return refused(no("NONEXISTENT", "No such mailbox"));

  auto selected = std::make_unique<Selected>();
  selected->id = (*found)->id;
  selected->path = (*found)->path;
  selected->read_only = command.read_only;
  // Watched before it is looked at, so that no change falls between.
  selected->watch = doors_.mailboxes.watch(account_, selected->id, bell_);
  auto view = co_await doors_.mailboxes.view(account_, selected->id);
  if (!view) co_return refused(failed_with(view.error()));
  selected->view = selected->newest = std::move(*view);
  selected_ = std::move(selected);
  if (command.condstore) session_.features().condstore = true;
  claim_recent(*selected_->view);
  describe_selected();
  if (command.resync) {
    auto told = co_await resynchronize(*command.resync);
    if (!told) {
      selected_.reset();
      co_return refused(failed_with(told.error()));
    }
  }
  auto outcome = command.read_only ? ok("EXAMINE completed", "READ-ONLY") : ok("SELECT completed", "READ-WRITE");
  outcome.move = Outcome::Move::select;
  co_return outcome;
}

void ImapConnection::describe_selected() {
  auto& out = session_.responses();
  const auto& view = *selected_->view;
  const bool rev2 = session_.features().rev2;
  // EXISTS is the length of the very view that numbers refer to (never a stored counter).
  out.raw("* ").number(view.size()).raw(" EXISTS\r\n");
  if (!rev2) out.raw("* ").number(recent_count(view)).raw(" RECENT\r\n");
  write_flags_lists();
  const auto unseen = view.first_unseen();
  if (unseen && !rev2) {  // RFC 9051 appendix E: rev2 has no UNSEEN code.
    out.raw("* OK [UNSEEN ").number(*unseen + 1).raw("] First unseen\r\n");
  }
  out.raw("* OK [UIDVALIDITY ").number(view.uidvalidity().value).raw("] UIDs valid\r\n");
  out.raw("* OK [UIDNEXT ").number(view.uidnext().value).raw("] Predicted next UID\r\n");
  // RFC 7162 §3.1.2.1: always sent, never 0.
  out.raw("* OK [HIGHESTMODSEQ ").number(std::max<std::uint64_t>(view.highest_modseq().value, 1)).raw("] Highest\r\n");
  out.raw("* OK [MAILBOXID (").raw(imap::object_id('F', selected_->id.value)).raw(")] Ok\r\n");  // RFC 8474 §4.2.
  if (rev2) out.raw("* LIST () \"/\" ").mailbox(selected_->path).line_end();                     // RFC 9051 §6.3.2.
}

Task<Result<void>> ImapConnection::resynchronize(const imap::SelectCommand::Resync& resync) {
  const auto& view = *selected_->view;
  // RFC 7162 §3.2.5: if the UIDs are others, the client forgets all it knew.
  if (resync.uidvalidity != view.uidvalidity().value) co_return Result<void>();
  std::vector<imap::NumberRange> known{{1, UINT32_MAX}};
  if (resync.known_uids) known = imap::resolve(*resync.known_uids, view.uidnext().value);
  auto vanished = co_await write_vanished(mailbox::ModSeq(resync.modseq), std::move(known));
  if (!vanished) co_return failed(vanished);
  const auto names = keyword_names();
  for (std::size_t index = 0; index < view.size(); ++index) {
    if (view.row(index).modseq.value > resync.modseq) write_flags(index, names);
    if (session_.responses().full() && !co_await flush()) break;
  }
  co_return Result<void>();
}

Task<Result<void>> ImapConnection::write_vanished(mailbox::ModSeq since, std::vector<imap::NumberRange> among) {
  const auto view = selected_->view;
  auto changes = co_await doors_.mailboxes.changes(account_, selected_->id, since);
  if (!changes) co_return failed(changes);
  std::vector<std::uint32_t> gone;
  if (*changes) {
    for (const auto uid : (*changes)->vanished) {
      if (imap::contains(among, uid.value) && !view->find(uid)) gone.push_back(uid.value);
    }
  }
  auto ranges = imap::to_ranges(gone);
  if (!*changes) {
    // RFC 7162 §3.2.5.1: what went so long ago is not remembered; all UIDs that are not there are told.
    ranges = {};
    const auto uidnext = view->uidnext().value;
    std::uint32_t next = 1;
    for (std::size_t index = 0; index <= view->size(); ++index) {
      const auto uid = index < view->size() ? view->row(index).uid.value : uidnext;
      for (const auto& range : among) {
        const auto first = std::max(next, range.first);
        const auto last = std::min(uid - 1, range.last);
        if (first <= last && uid > 1) ranges.push_back({first, last});
      }
      next = uid + 1;
    }
  }
  if (ranges.empty()) co_return Result<void>();
  session_.responses().raw("* VANISHED (EARLIER) ").raw(imap::to_set_text(ranges)).line_end();
  co_return Result<void>();
}

Task<imap::Outcome> ImapConnection::close(bool expunge) {
  // RFC 9051 §6.4.1: CLOSE removes what is \Deleted, without telling; not after EXAMINE.
  Outcome outcome = ok(expunge ? "CLOSE completed" : "UNSELECT completed");
  if (expunge && !selected_->read_only) {
    auto removed = co_await doors_.mailboxes.expunge(account_, selected_->id, std::nullopt);
    if (!removed) outcome = failed_with(removed.error());
  }
  if (outcome.word == Outcome::Word::ok) {
    selected_.reset();
    news_ = false;
    outcome.move = Outcome::Move::unselect;
  }
  co_return outcome;
}

Task<imap::Outcome> ImapConnection::create(const imap::CreateCommand& command) {
  auto role = mailbox::Role::none;
  if (command.uses.size() > 1) co_return no("USEATTR", "Only one special use for each mailbox");  // RFC 6154 §3.
  if (!command.uses.empty()) {
    const auto* const use = std::ranges::find(uses, std::string_view(command.uses.front()), &NamedRole::use);
    if (use == uses.end()) co_return no("USEATTR", "Unknown special use");
    role = use->role;
    // RFC 6154 §3: a use that another mailbox has already is refused.
    auto all = co_await doors_.mailboxes.list(account_);
    if (!all) co_return failed_with(all.error());
    for (const auto& other : *all) {
      if (other.role == role) co_return no("USEATTR", "Another mailbox has that use");
    }
  }
  auto created = co_await doors_.mailboxes.create(account_, command.mailbox, role);
  if (!created) co_return failed_with(created.error());
  recent_.arrived(account_, *created, mailbox::Uid(1));  // All that will come is recent to the first.
  co_return ok("CREATE completed", "MAILBOXID (" + imap::object_id('F', created->value) + ")");
}

Task<imap::Outcome> ImapConnection::status(const imap::StatusCommand& command) {
  auto found = co_await doors_.mailboxes.find(account_, command.mailbox);
  if (!found) co_return failed_with(found.error());
  if (!*found || !(*found)->selectable) co_return no("NONEXISTENT", "No such mailbox");
  write_status(**found, command.items);
  co_return ok("STATUS completed");
}

void ImapConnection::write_status(const mailbox::MailboxSummary& summary, const std::vector<imap::StatusItem>& items) {
  auto& out = session_.responses();
  out.raw("* STATUS ").mailbox(summary.path).raw(" (");
  bool first = true;
  const auto item = [&](Bytes name, std::uint64_t value) {
    if (!first) out.raw(" ");
    first = false;
    out.raw(name).raw(" ").number(value);
  };
  for (const auto wanted : items) {
    switch (wanted) {
      case imap::StatusItem::messages:
        item("MESSAGES", summary.total);
        break;
      case imap::StatusItem::recent: {
        const auto span = recent_.peek(account_, summary.id, summary.uidnext, summary.uidnext);
        // UIDs of messages that went again are counted too; never more than there are.
        item("RECENT", std::min(span.end.value - span.first.value, summary.total));
        break;
      }
      case imap::StatusItem::uidnext:
        item("UIDNEXT", summary.uidnext.value);
        break;
      case imap::StatusItem::uidvalidity:
        item("UIDVALIDITY", summary.uidvalidity.value);
        break;
      case imap::StatusItem::unseen:
        item("UNSEEN", summary.unread);
        break;
      case imap::StatusItem::deleted:
        item("DELETED", summary.deleted);
        break;
      case imap::StatusItem::size:
        item("SIZE", summary.bytes);
        break;
      case imap::StatusItem::highestmodseq:
        // RFC 7162 §3.1.6: asking for it enables CONDSTORE.
        enable_condstore();
        item("HIGHESTMODSEQ", std::max<std::uint64_t>(summary.highest_modseq.value, 1));
        break;
      case imap::StatusItem::mailboxid:
        if (!first) out.raw(" ");
        first = false;
        out.raw("MAILBOXID (").raw(imap::object_id('F', summary.id.value)).raw(")");
        break;
    }
  }
  out.raw(")\r\n");
}

}  // namespace facteur::server
