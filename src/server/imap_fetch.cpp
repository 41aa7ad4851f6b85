// FETCH (RFC 9051 §6.4.5; DESIGN.md section 9): the plan runs over rows of the session's view, in one of three ways:
// from the columns alone, from the packed structure records, or with the octets of each message.
#include <algorithm>
#include <span>

#include "server/imap_connection.hpp"

namespace facteur::server {

struct ImapConnection::Fetching {
  explicit Fetching(imap::FetchPlan p) : plan(std::move(p)) {}

  imap::FetchPlan plan;
  Rows rows;
  std::shared_ptr<const mailbox::View> view;  // What numbers mean.
  std::vector<Uid> marked;                    // Had \Seen set just now; ascending.
  std::vector<std::string> names;             // Of keywords.
  bool unreadable = false;                    // Some message could not be read.
  bool unknown_cte = false;                   // Some part could not be decoded.

  mailbox::Mailboxes::Parts parts() const { return {.envelope = plan.needs_envelope(), .layout = plan.needs_layout()}; }

  // Whether the record has all that the plan tells; else it is made anew.
  bool suffices(const message::Structure& structure) const {
    return !plan.needs_preview() || structure.preview().has_value();
  }

  // What of the row needs no I/O. The keywords are borrowed from `row`.
  imap::FetchedMessage columns(std::size_t index, const mailbox::Row& row, const Selected& selected) const {
    imap::FetchedMessage message;
    message.number = static_cast<std::uint32_t>(index + 1);
    message.uid = row.uid.value;
    message.modseq = row.modseq.value;
    message.flag_bits = row.flags.bits;
    message.keywords = row.flags.keywords;
    message.keyword_names = &names;
    message.recent = !selected.recent.empty() && selected.is_recent(row.uid);
    message.size = row.size;
    message.received = row.received;
    message.email_id = row.item.value;
    message.thread_id = row.thread.value;
    message.tell_flags = !marked.empty() && std::ranges::binary_search(marked, row.uid);
    return message;
  }
};

Task<imap::Outcome> ImapConnection::fetch(const imap::FetchCommand& command) {
  Fetching fetching(imap::FetchPlan(command.items, command.uid, command.changed_since.has_value()));
  if (fetching.plan.tells_modseq()) enable_condstore();
  auto rows = rows_of(command.set, command.uid);
  if (!rows) co_return bad("No such message number");
  if (command.vanished) {
    if (!session_.features().qresync) co_return bad("ENABLE QRESYNC first");  // RFC 7162 §3.2.3.
    const auto highest = selected_->view->uidnext().value;
    auto among = command.set.saved ? selected_->saved : imap::resolve(command.set, highest);
    auto told = co_await write_vanished(mailbox::ModSeq(*command.changed_since), std::move(among));
    if (!told) co_return failed_with(told.error());
  }
  fetching.rows = std::move(*rows);
  fetching.view = selected_->view;
  fetching.names = keyword_names();
  if (command.changed_since) {
    // RFC 7162 §3.1.4: only what changed after that; the columns say which.
    Rows changed;
    for (const auto& [first, last] : fetching.rows) {
      for (auto index = first; index <= last; ++index) {
        if (selected_->row(index).modseq.value <= *command.changed_since) continue;
        if (!changed.empty() && changed.back().second + 1 == index) {
          changed.back().second = index;
        } else {
          changed.emplace_back(index, index);
        }
      }
    }
    fetching.rows = std::move(changed);
  }
  if (fetching.plan.marks_seen() && !selected_->read_only) {
    auto marked = co_await mark_seen(fetching);
    // The mail is shown even if it cannot be marked (a full disk).
    if (!marked) connection_.scope.event("imap_mark_seen_failed").failure(marked.error());
  }
  remember_told(fetching);
  if (fetching.plan.needs_text()) {
    co_await fetch_texts(fetching);
  } else if (fetching.plan.needs_structure()) {
    co_await fetch_structures(fetching);
  } else {
    co_await fetch_columns(fetching);
  }
  if (fetching.unreadable) co_return no("UNAVAILABLE", "Some messages could not be read");
  if (fetching.unknown_cte) co_return no("UNKNOWN-CTE", "A part has an unknown encoding");
  co_return ok("FETCH completed");
}

Task<Result<void>> ImapConnection::mark_seen(Fetching& fetching) {
  std::vector<Uid> unseen;
  for (const auto& [first, last] : fetching.rows) {
    for (auto index = first; index <= last; ++index) {
      const auto row = selected_->row(index);
      if (!row.flags.has(mailbox::Flags::seen)) unseen.push_back(row.uid);
    }
  }
  if (unseen.empty()) co_return Result<void>();
  std::vector<std::string> no_keywords;
  auto stored = co_await doors_.mailboxes.store_flags(account_, selected_->id, unseen, mailbox::FlagChange::add,
                                                      mailbox::Flags::seen, std::move(no_keywords));
  if (!stored) co_return failed(stored);
  news_ = true;
  auto latest = co_await doors_.mailboxes.view(account_, selected_->id);
  if (!latest) co_return failed(latest);
  selected_->newest = std::move(*latest);
  fetching.marked = std::move(unseen);
  co_return Result<void>();
}

// Flags that are newer than `view` will have been told when this FETCH ends.
void ImapConnection::remember_told(const Fetching& fetching) {
  if (selected_->newest == selected_->view) return;
  for (const auto& [first, last] : fetching.rows) {
    for (auto index = first; index <= last; ++index) {
      const auto before = selected_->view->row(index);
      const auto row = selected_->row(index);
      if (row.modseq == before.modseq) continue;
      const bool marked = std::ranges::binary_search(fetching.marked, row.uid);
      if (marked || fetching.plan.tells_flags()) selected_->told[row.uid] = row.modseq;
    }
  }
}

Task<void> ImapConnection::fetch_columns(Fetching& fetching) {
  auto& out = session_.responses();
  for (const auto& [first, last] : fetching.rows) {
    for (auto next = first; next <= last;) {
      const std::function<bool(std::size_t, const mailbox::Row&)> visit = [&](std::size_t index,
                                                                              const mailbox::Row& row) {
        fetching.plan.write(out, fetching.columns(index, row, *selected_));
        next = index + 1;
        return !out.full();
      };
      selected_->each(next, last + 1, visit);
      if (out.full() && !co_await flush()) co_return;
    }
  }
}

Task<void> ImapConnection::fetch_structures(Fetching& fetching) {
  auto& out = session_.responses();
  const auto parts = fetching.parts();
  std::vector<std::size_t> missing;  // Without a record, or with one of another version: it is made anew.
  for (const auto& [first, last] : fetching.rows) {
    auto next = first;
    // Written from inside the scan: the records are copied from the packed columns to the buffer, once.
    const mailbox::Mailboxes::StructureVisit visit = [&](std::size_t index, Bytes record) {
      for (; next < index; ++next) missing.push_back(next);
      const auto structure = message::Structure::open(record);
      const auto row = selected_->row(index);
      if (structure && structure->size() == row.size && fetching.suffices(*structure)) {
        auto message = fetching.columns(index, row, *selected_);
        message.structure = &*structure;
        fetching.plan.write(out, message);
      } else {
        missing.push_back(index);
      }
      ++next;
      return !out.full();
    };
    while (next <= last) {
      auto visited = co_await doors_.mailboxes.structures(account_, fetching.view, next, last + 1, parts, visit);
      if (out.full()) {
        if (!co_await flush()) co_return;
        continue;
      }
      // The rest was not given.
      for (; next <= last; ++next) missing.push_back(next);
      if (!visited) connection_.scope.event("imap_structures_unreadable").failure(visited.error());
    }
  }
  for (const auto index : missing) {
    auto text = co_await doors_.mailboxes.text(account_, selected_->view->row(index));
    write_message(fetching, index, std::move(text), {});
    if (out.full() && !co_await flush()) co_return;
  }
}

Task<void> ImapConnection::fetch_texts(Fetching& fetching) {
  auto& out = session_.responses();
  const auto parts = fetching.parts();
  for (const auto& [first, last] : fetching.rows) {
    auto next = first;
    const mailbox::Mailboxes::TextVisit visit = [&](std::size_t index, Result<mailbox::MessageText> text,
                                                    Bytes record) {
      write_message(fetching, index, std::move(text), record);
      next = index + 1;
      return !out.full();
    };
    while (next <= last) {
      auto visited = co_await doors_.mailboxes.texts(account_, fetching.view, next, last + 1, parts, visit);
      if (out.full()) {
        if (!co_await flush()) co_return;
        continue;
      }
      if (next > last) break;
      if (!visited) connection_.scope.event("imap_texts_unreadable").failure(visited.error());
      fetching.unreadable = true;
      break;
    }
  }
}

imap::MessagePieces pieces_of(mailbox::MessageText text) {
  const auto kept = std::make_shared<mailbox::MessageText>(std::move(text));
  imap::MessagePieces pieces;
  pieces.pin = kept;
  pieces.add(kept->prefix);
  for (const auto piece : kept->content.pieces()) pieces.add(piece);
  return pieces;
}

// One message with all it needs. `record` may be empty, or of another version: then it is made from the text.
void ImapConnection::write_message(Fetching& fetching, std::size_t index, Result<mailbox::MessageText> text,
                                   Bytes record) {
  const auto row = selected_->row(index);
  if (text && !witness_) witness_ = text->content;
  if (!text) {
    // RELIABILITY: one damaged or vanished message never hides the others.
    connection_.scope.event("imap_message_unreadable").field("uid", row.uid.value).failure(text.error());
    fetching.unreadable = true;
    return;
  }
  const auto pieces = pieces_of(std::move(*text));
  auto message = fetching.columns(index, row, *selected_);
  message.text = &pieces;
  std::string made;
  std::optional<message::Structure> structure;
  if (fetching.plan.needs_structure()) {
    structure = message::Structure::open(record);
    if (!structure || structure->size() != pieces.size || !fetching.suffices(*structure)) {
      made = message::make_structure({}, pieces.copy({0, pieces.size}));
      structure = message::Structure::open(made);
    }
    message.structure = &*structure;
  }
  if (!fetching.plan.write(session_.responses(), message)) fetching.unknown_cte = true;
}

std::optional<ImapConnection::Rows> ImapConnection::rows_of(const imap::SequenceSet& set, bool uid) const {
  const auto& view = *selected_->view;
  Rows rows;
  const bool by_uid = uid || set.saved;
  if (view.size() == 0 && !by_uid) return std::nullopt;
  const std::uint32_t highest =
      by_uid ? (view.size() == 0 ? 0 : view.row(view.size() - 1).uid.value) : static_cast<std::uint32_t>(view.size());
  for (const auto& range : set.saved ? selected_->saved : imap::resolve(set, highest)) {
    std::size_t first = range.first - 1;
    std::size_t behind = range.last;
    if (by_uid) {
      first = view.lower_bound(Uid(range.first));
      behind = range.last == UINT32_MAX ? view.size() : view.lower_bound(Uid(range.last + 1));
    } else if (range.last > highest) {
      return std::nullopt;
    }
    if (first >= behind) continue;
    if (!rows.empty() && rows.back().second + 1 == first) {
      rows.back().second = behind - 1;
    } else {
      rows.emplace_back(first, behind - 1);
    }
  }
  return rows;
}

std::vector<mailbox::Uid> ImapConnection::uids_of(const Rows& rows) const {
  std::vector<Uid> uids;
  for (const auto& [first, last] : rows) {
    uids.reserve(uids.size() + last - first + 1);
    selected_->view->each(first, last + 1, [&uids](std::size_t, const mailbox::Row& row) {
      uids.push_back(row.uid);
      return true;
    });
  }
  return uids;
}

std::string ImapConnection::set_text(const std::vector<Uid>& uids, bool uid) const {
  std::vector<std::uint32_t> numbers;
  for (const auto one : uids) {
    if (uid) {
      numbers.push_back(one.value);
    } else if (const auto row = selected_->view->find(one)) {
      numbers.push_back(static_cast<std::uint32_t>(*row + 1));
    }
  }
  return imap::to_set_text(numbers);
}

}  // namespace facteur::server
