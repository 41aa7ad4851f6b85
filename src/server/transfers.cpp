#include "server/transfers.hpp"

#include <algorithm>
#include <exception>
#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "mailbox/imports.hpp"

namespace facteur::server {
namespace {

using mailbox::NewMessage;
using mailbox::Placing;

constexpr std::size_t most_on_the_way = 2;      // Batches of one import that are being filed.
constexpr std::size_t head_octets = 64 * 1024;  // What threads are found by.

Failure no_sense(std::string_view code) { return {Failure::Kind::permanent, code, "The request makes no sense", {}}; }

Result<mailbox::AccountId> account_of(const CommandDoors& doors, const Asked& asked) {
  auto found = doors.directory.account_of_login(asked.text("address"));
  if (!found) return failed(found);
  if (*found) return (*found)->id;
  return failure(Failure::Kind::permanent, "F-6110", "There is no account " + asked.text("address"));
}

// ---- import

Task<Result<Transferred>> open_mailbox(const CommandDoors& doors, Conversation& conversation, const Asked& asked) {
  auto account = account_of(doors, asked);
  if (!account) co_return failed(account);
  const std::string path = asked.text("mailbox");
  auto found = co_await doors.mailboxes.find(*account, path);
  if (!found) co_return failed(found);
  conversation.account = *account;
  conversation.quota = asked.flag("quota");
  conversation.upload.reset();
  if (*found && (*found)->selectable) {
    conversation.mailbox = (*found)->id;
  } else {
    auto made = co_await doors.mailboxes.create(*account, path);
    if (!made) co_return failed(made);
    conversation.mailbox = *made;
    // RFC 9051 §6.3.7: many clients show only what is subscribed.
    static_cast<void>(co_await doors.mailboxes.subscribe(*account, path, true));
  }
  doors.scope.event("import_began").field("object", asked.text("address")).field("mailbox", path);
  co_return Transferred{json::object{}, {}};
}

Task<Result<Transferred>> take_piece(const CommandDoors& doors, Conversation& conversation, std::string octets) {
  if (!conversation.upload) {
    conversation.upload = doors.engine.upload();
    conversation.head.clear();
  }
  auto& head = conversation.head;
  if (head.size() < head_octets) head.append(octets, 0, head_octets - head.size());
  auto taken = co_await conversation.upload->append(octets);
  if (!taken) {
    conversation.upload.reset();
    co_return failed(taken);
  }
  co_return Transferred{json::object{}, {}};
}

Placing placing_of(const Asked& one, const Conversation& conversation) {
  Placing placing;
  placing.account = conversation.account;
  placing.source = one.text("source").substr(0, 64);
  placing.flag_bits = static_cast<std::uint8_t>(one.number("flags").value_or(0) & 31);
  placing.keywords = one.texts("keywords");
  if (const auto received = one.signed_number("received")) placing.received = UtcTime{*received};
  return placing;
}

using Messages = std::vector<std::pair<NewMessage, Placing>>;

// Takes out those that were imported before, and says how many; asks only about the first one where that is new, as a
// run that is begun again meets them all at its start.
Result<std::int64_t> drop_known(const CommandDoors& doors, const Conversation& conversation, Messages& messages) {
  std::vector<std::string> sources;
  for (const auto& [message, placing] : messages) sources.push_back(placing.source);
  const auto ask = [&](std::span<const std::string> some) {
    return mailbox::imported_before(doors.engine.latest(), conversation.account, conversation.mailbox, some);
  };
  auto known = ask(std::span(sources).first(std::min<std::size_t>(sources.size(), 1)));
  if (!known) return failed(known);
  if (known->empty() || !known->front()) return 0;
  known = ask(sources);
  if (!known) return failed(known);
  Messages left;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!(*known)[i]) left.push_back(std::move(messages[i]));
  }
  const auto count = static_cast<std::int64_t>(messages.size() - left.size());
  messages = std::move(left);
  return count;
}

std::uint64_t size_of(const Messages& messages) {
  std::uint64_t size = 0;
  for (const auto& [message, placing] : messages) {
    size += message.upload ? message.upload->size() : message.octets.size();
  }
  return size;
}

// RELIABILITY S40: an import is no way around a quota.
Result<void> check_room(const CommandDoors& doors, const Conversation& conversation, const Messages& messages) {
  if (!conversation.quota || messages.empty()) return {};
  auto account = doors.directory.account(conversation.account);
  if (!account) return failed(account);
  if (!*account || (*account)->quota_bytes == 0) return {};
  auto usage = doors.mailboxes.usage(conversation.account);
  if (!usage) return failed(usage);
  std::uint64_t bytes = usage->bytes + size_of(messages);
  for (const auto& filing : conversation.filing) bytes += filing->ended.completed() ? 0 : filing->bytes;
  if (bytes <= (*account)->quota_bytes) return {};
  return failure(Failure::Kind::permanent, "F-6118", "The account has no room for more (its quota)");
}

Task<void> file(Task<Result<std::vector<mailbox::Placed>>> append, std::shared_ptr<Filing> filing) {
  try {
    auto placed = co_await std::move(append);
    if (placed) {
      filing->imported =
          std::ranges::count_if(*placed, [](const mailbox::Placed& one) { return one.uid != mailbox::Uid{}; });
      filing->known += static_cast<std::int64_t>(placed->size()) - filing->imported;
    } else {
      filing->done = failed(placed);
    }
  } catch (...) {
    filing->bug = std::current_exception();
  }
  filing->ended.complete(true);
}

// Tells of what has been filed, until no more than `most` batches are on their way.
Task<Result<Transferred>> tell_filed(Conversation& conversation, std::size_t most) {
  std::int64_t imported = 0;
  std::int64_t known = 0;
  while (!conversation.filing.empty()) {
    const auto filing = conversation.filing.front();
    if (conversation.filing.size() <= most && !filing->ended.completed()) break;
    co_await filing->ended;
    conversation.filing.pop_front();
    if (filing->bug) std::rethrow_exception(filing->bug);
    if (!filing->done) co_return failed(filing->done);
    imported += filing->imported;
    known += filing->known;
  }
  co_return Transferred{json::object{{"imported", imported}, {"known", known}}, {}};
}

Task<Result<Transferred>> file_messages(const CommandDoors& doors, Conversation& conversation, const Asked& asked,
                                        std::string octets) {
  const auto* list = asked.array("messages");
  if (conversation.mailbox == mailbox::MailboxId{} || list == nullptr || list->size() > transfer_messages) {
    co_return std::unexpected(no_sense("F-6111"));
  }
  Messages messages;
  std::size_t used = 0;
  for (const auto& item : *list) {
    if (!item.is_object()) co_return std::unexpected(no_sense("F-6112"));
    const Asked one(item.get_object());
    NewMessage message;
    Placing placing = placing_of(one, conversation);
    const std::size_t prefix = one.number("prefix").value_or(0);
    if (prefix > octets.size() - used) co_return std::unexpected(no_sense("F-6150"));
    placing.prefix = octets.substr(used, prefix);
    used += prefix;
    if (one.flag("in_pieces")) {
      if (!conversation.upload) co_return std::unexpected(no_sense("F-6113"));
      conversation.upload->finish();
      message.upload = std::move(conversation.upload);
      message.head = std::move(conversation.head);
    } else {
      const std::size_t size = one.number("size").value_or(octets.size() + 1);
      if (size > octets.size() - used) co_return std::unexpected(no_sense("F-6114"));
      message.octets = octets.substr(used, size);
      used += size;
    }
    messages.emplace_back(std::move(message), std::move(placing));
  }
  octets = {};
  auto dropped = drop_known(doors, conversation, messages);
  if (!dropped) co_return failed(dropped);
  if (auto room = check_room(doors, conversation, messages); !room) co_return failed(room);
  auto filing = std::make_shared<Filing>();
  filing->known = *dropped;
  filing->bytes = size_of(messages);
  conversation.filing.push_back(filing);
  if (messages.empty()) {
    filing->ended.complete(true);
  } else {
    // Structures are made here and now; the rest goes on at the account's home while the next messages come in.
    auto append = doors.mailboxes.append(conversation.account, conversation.mailbox, std::move(messages));
    conversation.tasks.start(file(std::move(append), std::move(filing)));
  }
  co_return co_await tell_filed(conversation, asked.flag("go_on") ? most_on_the_way : 0);
}

// ---- export

Task<Result<Transferred>> list_mailboxes(const CommandDoors& doors, const Asked& asked) {
  auto account = account_of(doors, asked);
  if (!account) co_return failed(account);
  auto list = co_await doors.mailboxes.list(*account);
  if (!list) co_return failed(list);
  json::array out;
  for (const auto& box : *list) {
    if (!box.selectable) continue;
    out.push_back(json::object{{"path", box.path}, {"messages", box.total}, {"bytes", box.bytes}});
  }
  co_return Transferred{std::move(out), {}};
}

json::object told(const mailbox::Row& row, const std::vector<std::string>& keywords) {
  json::array words;
  for (const auto number : row.flags.keywords) {
    if (number < keywords.size() && !keywords[number].empty()) words.emplace_back(keywords[number]);
  }
  return {{"uid", row.uid.value},    {"id", row.mid.value},          {"size", row.size},
          {"flags", row.flags.bits}, {"keywords", std::move(words)}, {"received", row.received.milliseconds}};
}

// nullopt: all.
std::optional<std::set<std::uint64_t>> wanted_uids(const Asked& asked) {
  const auto* list = asked.array("uids");
  if (!list) return std::nullopt;
  std::set<std::uint64_t> out;
  for (const auto& uid : *list) {
    if (uid.is_int64() && uid.get_int64() > 0) out.insert(static_cast<std::uint64_t>(uid.get_int64()));
  }
  return out;
}

Failure unreadable() { return {Failure::Kind::temporary, "F-6143", "The message could not be read from the disk", ""}; }

Task<Result<Transferred>> give_messages(const CommandDoors& doors, const Asked& asked) {
  auto opened = co_await open_mailbox_of(doors, asked);
  if (!opened) co_return failed(opened);
  auto keywords = doors.mailboxes.keywords(opened->account);
  if (!keywords) co_return failed(keywords);
  const auto only = wanted_uids(asked);
  const auto& view = *opened->view;
  json::array messages;
  Transferred out;
  std::uint64_t last = asked.number("after").value_or(0);
  std::size_t at =
      last >= UINT32_MAX ? view.size() : view.lower_bound(mailbox::Uid(static_cast<std::uint32_t>(last + 1)));
  for (; at < view.size() && messages.size() < transfer_messages && out.octets.size() < transfer_batch; ++at) {
    const mailbox::Row row = view.row(at);
    last = row.uid.value;
    if (only && !only->contains(last)) continue;
    json::object message = told(row, *keywords);
    auto text = co_await doors.mailboxes.text(opened->account, row);
    if (!text) {  // One that is damaged does not stop the others.
      message["error"] = text.error().text;
    } else if (text->size() > transfer_piece) {
      message["size"] = text->size();
      message["prefix"] = text->prefix.size();
      message["in_pieces"] = true;
    } else {
      message["size"] = text->size();
      message["prefix"] = text->prefix.size();
      const std::size_t before = out.octets.size();
      out.octets += text->prefix;
      for (const Bytes piece : text->content.pieces()) out.octets += piece;
      if (!text->content.intact()) {
        out.octets.resize(before);
        message["error"] = unreadable().text;
      }
    }
    messages.push_back(std::move(message));
  }
  out.result = json::object{{"messages", std::move(messages)}, {"last", last}, {"more", at < view.size()}};
  co_return out;
}

Task<Result<Transferred>> give_piece(const CommandDoors& doors, const Asked& asked) {
  auto opened = co_await open_mailbox_of(doors, asked);
  if (!opened) co_return failed(opened);
  const auto uid = mailbox::Uid(static_cast<std::uint32_t>(asked.number("uid").value_or(0)));
  const auto row = opened->view->find(uid);
  if (!row) co_return failure(Failure::Kind::permanent, "F-6116", "The message is not there any more");
  auto text = co_await doors.mailboxes.text(opened->account, opened->view->row(*row));
  if (!text) co_return failed(text);
  const std::uint64_t offset = asked.number("offset").value_or(0);
  Transferred out;
  if (offset < text->prefix.size()) out.octets = text->prefix.substr(offset);
  const std::uint64_t inside = offset > text->prefix.size() ? offset - text->prefix.size() : 0;
  if (out.octets.size() < transfer_piece) out.octets += text->content.slice(inside, transfer_piece - out.octets.size());
  if (!text->content.intact()) co_return std::unexpected(unreadable());
  out.result = json::object{{"size", text->size()}};
  co_return out;
}

Task<Result<Transferred>> unknown(std::string command) {
  co_return failure(Failure::Kind::permanent, "F-6117", "There is no command \"" + command + "\"");
}

}  // namespace

Task<Result<OpenedMailbox>> open_mailbox_of(const CommandDoors& doors, const Asked& asked) {
  auto account = account_of(doors, asked);
  if (!account) co_return failed(account);
  auto found = co_await doors.mailboxes.find(*account, asked.text("mailbox"));
  if (!found) co_return failed(found);
  if (!*found || !(*found)->selectable) {
    co_return failure(Failure::Kind::permanent, no_mailbox_to_export, "There is no mailbox " + asked.text("mailbox"));
  }
  auto view = co_await doors.mailboxes.view(*account, (*found)->id);
  if (!view) co_return failed(view);
  co_return OpenedMailbox{*account, std::move(*view)};
}

bool is_transfer(std::string_view command) { return command.starts_with("import.") || command.starts_with("export."); }

Task<Result<Transferred>> transfer(const CommandDoors& doors, Conversation& conversation, const Asked& asked,
                                   std::string octets) {
  const std::string command = asked.text("command");
  if (command == "import.mailbox") return open_mailbox(doors, conversation, asked);
  if (command == "import.piece") return take_piece(doors, conversation, std::move(octets));
  if (command == "import.end") return tell_filed(conversation, 0);
  if (command == "import.messages") return file_messages(doors, conversation, asked, std::move(octets));
  if (command == "export.mailboxes") return list_mailboxes(doors, asked);
  if (command == "export.contents") return list_contents(doors, asked);
  if (command == "export.messages") return give_messages(doors, asked);
  if (command == "export.piece") return give_piece(doors, asked);
  return unknown(command);
}

}  // namespace facteur::server
