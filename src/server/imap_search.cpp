// SEARCH (RFC 9051 §6.4.4; RFC 4731; RFC 5182; RFC 7162 §3.1.5): first by columns, then by structure records, and only
// what is still open by the octets of the message.
#include <algorithm>

#include "server/imap_connection.hpp"

namespace facteur::server {
namespace {

constexpr Duration slice = 5ms;  // Work between two breaths, so that a long search lets others in (RELIABILITY S42).

imap::SearchedMessage columns(std::size_t index, const mailbox::Row& row) {
  imap::SearchedMessage message;
  message.number = static_cast<std::uint32_t>(index + 1);
  message.uid = row.uid.value;
  message.modseq = row.modseq.value;
  message.flag_bits = row.flags.bits;
  message.keywords = row.flags.keywords;
  message.size = row.size;
  message.received = row.received;
  message.email_id = row.item.value;
  message.thread_id = row.thread.value;
  return message;
}

void add_row(std::vector<std::pair<std::size_t, std::size_t>>& runs, std::size_t row) {
  if (!runs.empty() && runs.back().second + 1 == row) {
    runs.back().second = row;
  } else {
    runs.emplace_back(row, row);
  }
}

}  // namespace

Task<Result<std::vector<std::size_t>>> ImapConnection::matching_rows(const imap::SearchCommand& command) {
  const auto view = selected_->view;
  const auto names = keyword_names();
  imap::SearchProgram::Surroundings around;
  around.highest_number = static_cast<std::uint32_t>(view->size());
  around.highest_uid = view->size() == 0 ? 0 : view->row(view->size() - 1).uid.value;
  around.saved = selected_->saved;
  around.keyword_names = &names;
  const imap::SearchProgram program(command.key, around);

  std::vector<std::size_t> matched;
  const auto look = [&](std::size_t index, const mailbox::Row& row, const message::Structure* structure,
                        const imap::MessagePieces* text) {
    auto message = columns(index, row);
    message.recent = selected_->is_recent(row.uid);
    message.structure = structure;
    message.text = text;
    return program.match(message);
  };
  Rows open;
  if (!program.looks_at_columns()) {
    if (view->size() > 0) open.emplace_back(0, view->size() - 1);
  } else {
    selected_->each(0, view->size(), [&](std::size_t index, const mailbox::Row& row) {
      const auto match = look(index, row, nullptr, nullptr);
      if (match == imap::Match::yes) matched.push_back(index);
      if (match == imap::Match::unknown) add_row(open, index);
      return true;
    });
  }
  Rows still_open;
  for (const auto& [first, last] : open) {  // A run of neighbours is one scan of the packed columns.
    auto next = first;
    const mailbox::Mailboxes::StructureVisit visit = [&](std::size_t index, Bytes record) {
      for (; next < index; ++next) add_row(still_open, next);
      const auto structure = message::Structure::open(record);
      const auto match = structure ? look(index, selected_->row(index), &*structure, nullptr) : imap::Match::unknown;
      if (match == imap::Match::yes) matched.push_back(index);
      if (match == imap::Match::unknown) add_row(still_open, index);
      ++next;
      return true;
    };
    auto visited = co_await doors_.mailboxes.structures(account_, view, first, last + 1, {.texts = true}, visit);
    if (!visited) co_return failed(visited);
    for (; next <= last; ++next) add_row(still_open, next);
  }
  auto breath = doors_.clock.now() + slice;
  std::optional<store::Content> witness;  // The first text that was looked at.
  for (const auto& [first, last] : still_open) {
    auto next = first;
    const mailbox::Mailboxes::TextVisit visit = [&](std::size_t index, Result<mailbox::MessageText> text,
                                                    Bytes record) {
      next = index + 1;
      if (!text) return true;  // Gone or damaged: it fits nothing.
      if (!witness) witness = text->content;
      const auto pieces = pieces_of(std::move(*text));
      auto structure = message::Structure::open(record);
      std::string made;
      if (!structure || structure->size() != pieces.size) {
        made = message::make_structure({}, pieces.copy({0, pieces.size}));
        structure = message::Structure::open(made);
      }
      if (look(index, selected_->row(index), &*structure, &pieces) == imap::Match::yes) matched.push_back(index);
      return doors_.clock.now() < breath;
    };
    while (next <= last) {
      const auto before = next;
      auto visited = co_await doors_.mailboxes.texts(account_, view, next, last + 1, {.layout = true}, visit);
      if (!visited) co_return failed(visited);
      if (next == before) break;
      if (doors_.clock.now() < breath) continue;
      co_await doors_.clock.sleep_until(doors_.clock.now());
      breath = doors_.clock.now() + slice;
    }
  }
  if (witness && !witness->intact()) {
    co_return failure(Failure::Kind::corrupt, "F-6152",
                      "A stored message could no longer be read while it was searched");
  }
  std::ranges::sort(matched);
  co_return matched;
}

Task<imap::Outcome> ImapConnection::search(const imap::SearchCommand& command, const std::string& tag) {
  if (command.uses_modseq) enable_condstore();
  auto rows = co_await matching_rows(command);
  if (!rows) {
    if (command.save) selected_->saved.clear();  // RFC 5182 §2.1.
    co_return failed_with(rows.error());
  }
  co_await write_search(command, tag, *rows);
  co_return ok("SEARCH completed");
}

Task<void> ImapConnection::write_search(const imap::SearchCommand& command, const std::string& tag,
                                        const std::vector<std::size_t>& rows) {
  auto& out = session_.responses();
  const auto& view = *selected_->view;
  const auto number = [&](std::size_t index) {
    return command.uid ? view.row(index).uid.value : static_cast<std::uint32_t>(index + 1);
  };
  // RFC 4731 §3.1, RFC 7162 §3.1.5: the highest mod-sequence of what is told.
  const bool only_ends = command.extended && !command.all && !command.count && (command.minimum || command.maximum);
  std::uint64_t modseq = 0;
  if (command.uses_modseq && !rows.empty()) {
    if (only_ends) {
      if (command.minimum) modseq = std::max(modseq, selected_->row(rows.front()).modseq.value);
      if (command.maximum) modseq = std::max(modseq, selected_->row(rows.back()).modseq.value);
    } else {
      for (const auto index : rows) modseq = std::max(modseq, selected_->row(index).modseq.value);
    }
  }
  if (command.save) {
    // RFC 5182 §2.1: with MIN or MAX alone only these are saved.
    std::vector<std::uint32_t> saved;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool end = (command.minimum && i == 0) || (command.maximum && i + 1 == rows.size());
      if (!only_ends || end) saved.push_back(view.row(rows[i]).uid.value);
    }
    selected_->saved = imap::to_ranges(saved);
  }
  if (!command.extended && !session_.features().rev2) {
    out.raw("* SEARCH");
    for (const auto index : rows) {
      out.raw(" ").number(number(index));
      if (out.full() && !co_await flush()) co_return;
    }
    if (modseq > 0) out.raw(" (MODSEQ ").number(modseq).raw(")");
    out.line_end();
    co_return;
  }
  const bool all = command.all || !command.extended;
  // RFC 5182 §2.1: with SAVE alone there is no ESEARCH response.
  if (!all && !command.minimum && !command.maximum && !command.count) co_return;
  out.raw("* ESEARCH (TAG ").string(tag).raw(")");
  if (command.uid) out.raw(" UID");
  if (command.minimum && !rows.empty()) out.raw(" MIN ").number(number(rows.front()));
  if (command.maximum && !rows.empty()) out.raw(" MAX ").number(number(rows.back()));
  if (all && !rows.empty()) {
    std::vector<std::uint32_t> numbers;
    numbers.reserve(rows.size());
    for (const auto index : rows) numbers.push_back(number(index));
    out.raw(" ALL ").raw(imap::to_set_text(numbers));
  }
  if (command.count) out.raw(" COUNT ").number(rows.size());
  if (modseq > 0) out.raw(" MODSEQ ").number(modseq);
  out.line_end();
}

}  // namespace facteur::server
