// STORE, COPY, MOVE and EXPUNGE (RFC 9051 §6.4.6 to §6.4.8, §6.4.3; RFC 4315; RFC 6851; RFC 7162 §3.1.3).
#include <algorithm>

#include "base/ascii.hpp"
#include "server/imap_connection.hpp"

namespace facteur::server {
namespace {

mailbox::FlagChange change_of(imap::StoreCommand::Mode mode) {
  switch (mode) {
    case imap::StoreCommand::Mode::add:
      return mailbox::FlagChange::add;
    case imap::StoreCommand::Mode::remove:
      return mailbox::FlagChange::remove;
    case imap::StoreCommand::Mode::replace:
      return mailbox::FlagChange::replace;
  }
  return mailbox::FlagChange::replace;
}

// What a STORE makes of these flags.
mailbox::Flags changed_flags(const imap::StoreCommand& command, mailbox::Flags flags,
                             const std::vector<std::string>& names) {
  std::vector<std::uint16_t> keywords;
  const bool none = flags.keywords.empty() && command.flags.keywords.empty();
  for (std::size_t i = 0; !none && i < names.size(); ++i) {
    const bool given = std::ranges::any_of(command.flags.keywords, [&](const std::string& keyword) {
      return ascii::equal_ignoring_case(keyword, names[i]);
    });
    const bool had = std::ranges::find(flags.keywords, i) != flags.keywords.end();
    const bool has = command.mode == imap::StoreCommand::Mode::replace ? given
                     : command.mode == imap::StoreCommand::Mode::add   ? had || given
                                                                       : had && !given;
    if (has) keywords.push_back(static_cast<std::uint16_t>(i));
  }
  flags.keywords = std::move(keywords);
  switch (command.mode) {
    case imap::StoreCommand::Mode::replace:
      flags.bits = command.flags.bits;
      break;
    case imap::StoreCommand::Mode::add:
      flags.bits |= command.flags.bits;
      break;
    case imap::StoreCommand::Mode::remove:
      flags.bits &= static_cast<std::uint8_t>(~command.flags.bits);
      break;
  }
  return flags;
}

// RFC 4315 §3 COPYUID: both sets in the same order, so ranges only where both ascend.
std::string copy_code(const mailbox::Copied& copied) {
  std::vector<std::uint32_t> from;
  std::vector<std::uint32_t> to;
  for (const auto uid : copied.from) from.push_back(uid.value);
  for (const auto uid : copied.to) to.push_back(uid.value);
  const auto text = [](const std::vector<std::uint32_t>& uids, bool ascending) {
    if (ascending) return imap::to_set_text(uids);
    std::string out;
    for (const auto uid : uids) out += (out.empty() ? "" : ",") + std::to_string(uid);
    return out;
  };
  const bool ascending = std::ranges::is_sorted(from) && std::ranges::is_sorted(to);
  return "COPYUID " + std::to_string(copied.uidvalidity.value) + " " + text(from, ascending) + " " +
         text(to, ascending);
}

}  // namespace

Task<imap::Outcome> ImapConnection::store(const imap::StoreCommand& command) {
  if (selected_->read_only) co_return no("READ-ONLY", "The mailbox is selected read-only");
  if (command.unchanged_since) enable_condstore();
  const auto rows = rows_of(command.set, command.uid);
  if (!rows) co_return bad("No such message number");
  const auto uids = uids_of(*rows);
  if (uids.empty()) co_return ok("STORE completed");
  std::optional<mailbox::ModSeq> unchanged_since;
  if (command.unchanged_since) unchanged_since = mailbox::ModSeq(*command.unchanged_since);
  auto stored = co_await doors_.mailboxes.store_flags(account_, selected_->id, uids, change_of(command.mode),
                                                      command.flags.bits, command.flags.keywords, unchanged_since);
  if (!stored) co_return failed_with(stored.error());
  news_ = true;
  auto latest = co_await doors_.mailboxes.view(account_, selected_->id);
  if (!latest) co_return failed_with(latest.error());

  auto& out = session_.responses();
  const auto names = keyword_names();
  if (names.size() != selected_->keywords_told) write_flags_lists();
  const bool condstore = session_.features().condstore;
  std::ranges::sort(stored->modified);
  for (const auto uid : uids) {
    if (command.silent && !condstore) break;
    if (std::ranges::binary_search(stored->modified, uid)) continue;
    const auto number = selected_->view->find(uid);
    const auto index = (*latest)->find(uid);
    if (!number || !index) continue;  // Vanished meanwhile.
    const auto row = (*latest)->row(*index);
    imap::FetchedMessage message;
    message.flag_bits = row.flags.bits;
    message.keywords = row.flags.keywords;
    message.keyword_names = &names;
    message.recent = selected_->is_recent(uid);
    out.raw("* ").number(*number + 1).raw(" FETCH (");
    if (command.uid || condstore) out.raw("UID ").number(uid.value);
    // RFC 7162 §3.1.3: MODSEQ is told even if .SILENT.
    if (condstore) out.raw(" MODSEQ (").number(row.modseq.value).raw(")");
    if (!command.silent) {
      if (command.uid || condstore) out.raw(" ");
      out.raw("FLAGS ");
      imap::append_fetched_flags(out.text(), message);
    }
    out.raw(")\r\n");
    if (out.full() && !co_await flush()) co_return ok({});
  }
  adopt_stored(command, uids, *stored, *latest, names);
  if (stored->modified.empty()) co_return ok("STORE completed");
  co_return ok("Some have changed since", "MODIFIED " + set_text(stored->modified, command.uid));
}

// What the client knows now need not be told again. After .SILENT it knows what its own change made of what it knew; if
// another session changed the message too, it must still be told (RFC 9051 §6.4.6).
void ImapConnection::adopt_stored(const imap::StoreCommand& command, const std::vector<Uid>& uids,
                                  const mailbox::StoredFlags& stored,
                                  const std::shared_ptr<const mailbox::View>& latest,
                                  const std::vector<std::string>& names) {
  auto& told = selected_->told;
  const auto& view = *selected_->view;
  const auto knows = [&](std::size_t index, const mailbox::Row& row) {
    if (std::ranges::binary_search(stored.modified, row.uid)) return false;
    return !command.silent || changed_flags(command, selected_->known_flags(index), names) == row.flags;
  };
  // Where nothing but this command has changed the mailbox, the client knows all of it: the usual case, and the same
  // rows stand at the same places.
  const auto changes = mailbox::diff(view, *latest);
  bool all_known = changes.vanished.empty() && changes.appeared.empty();
  auto mine = uids.begin();
  for (auto changed = changes.changed.begin(); all_known && changed != changes.changed.end(); ++changed) {
    mine = std::lower_bound(mine, uids.end(), *changed);
    const auto index = view.find(*changed);
    const auto row = latest->row(*index);
    const bool by_this = mine != uids.end() && *mine == *changed && knows(*index, row);
    const auto known = by_this || told.empty() ? told.end() : told.find(*changed);
    all_known = by_this || (known != told.end() && known->second == row.modseq);
  }
  if (all_known) {
    selected_->view = selected_->newest = latest;
    told.clear();
    return;
  }
  for (const auto uid : uids) {
    const auto index = view.find(uid);
    const auto now = latest->find(uid);
    if (!index || !now || std::ranges::binary_search(stored.modified, uid)) continue;
    const auto row = latest->row(*now);
    if (knows(*index, row)) {
      told[uid] = row.modseq;
    } else {
      told.erase(uid);
    }
  }
  selected_->newest = latest;
}

Task<imap::Outcome> ImapConnection::copy(const imap::CopyCommand& command) {
  if (command.move && selected_->read_only) co_return no("READ-ONLY", "The mailbox is selected read-only");
  const auto rows = rows_of(command.set, command.uid);
  if (!rows) co_return bad("No such message number");
  auto target = co_await doors_.mailboxes.find(account_, command.mailbox);
  if (!target) co_return failed_with(target.error());
  // RFC 9051 §6.4.7: TRYCREATE when CREATE would make it.
  if (!*target || !(*target)->selectable) co_return no("TRYCREATE", "No such mailbox");
  auto uids = uids_of(*rows);
  const std::string done = command.move ? "MOVE completed" : "COPY completed";
  if (uids.empty()) co_return ok(done);
  const auto to = (*target)->id;
  auto copied = command.move ? co_await doors_.mailboxes.move(account_, selected_->id, std::move(uids), to)
                             : co_await doors_.mailboxes.copy(account_, selected_->id, std::move(uids), to);
  if (!copied) co_return failed_with(copied.error());
  news_ = true;
  if (copied->to.empty()) co_return ok(done);
  recent_.arrived(account_, to, copied->to.front());
  const auto code = copy_code(*copied);
  if (!command.move) co_return ok(done, code);
  // RFC 6851 §4.3: COPYUID comes untagged, before the EXPUNGEs.
  session_.responses().status("*", "OK", code, "Moved");
  co_return ok(done);
}

Task<imap::Outcome> ImapConnection::expunge(const imap::ExpungeCommand& command) {
  if (selected_->read_only) co_return no("READ-ONLY", "The mailbox is selected read-only");
  std::optional<std::vector<Uid>> uids;
  if (command.uids) {
    const auto rows = rows_of(*command.uids, true);
    uids = rows ? uids_of(*rows) : std::vector<Uid>();
  }
  auto removed = co_await doors_.mailboxes.expunge(account_, selected_->id, std::move(uids));
  if (!removed) co_return failed_with(removed.error());
  news_ = true;
  co_await announce(true);
  // RFC 7162 §3.1.2.2: where the mailbox stands after it.
  if (session_.features().condstore && !removed->empty() && selected_ != nullptr) {
    co_return ok("EXPUNGE completed", "HIGHESTMODSEQ " + std::to_string(selected_->view->highest_modseq().value));
  }
  co_return ok("EXPUNGE completed");
}

}  // namespace facteur::server
