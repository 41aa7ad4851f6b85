#include "server/fsck.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "mailbox/view.hpp"

namespace facteur::server {
namespace {

using mailbox::Mailboxes;

json::array texts(const std::vector<std::string>& lines) {
  json::array out;
  for (const auto& line : lines) out.emplace_back(line);
  return out;
}

// ---- the store

Task<Result<json::value>> begin(const CommandDoors& doors, Conversation& conversation, const Asked& asked) {
  conversation.check = nullptr;  // Its second index goes before the next one comes.
  conversation.check = doors.engine.check(asked.flag("repair"));
  if (!conversation.check) {
    co_return failure(Failure::Kind::temporary, "F-6130",
                      "The store cannot be checked now: another check is under way");
  }
  doors.scope.event("fsck_began").field("repair", asked.flag("repair") ? 1 : 0);
  co_return json::value(json::object{});
}

// "anne@example.org INBOX 17" for each place where one of these items is seen.
Task<void> add_places(const CommandDoors& doors, mailbox::AccountId account, const std::set<mailbox::ItemId>& items,
                      json::array& out) {
  const auto known = doors.directory.account(account);
  const std::string name = known && *known ? (*known)->address : "account " + std::to_string(account.value);
  const auto boxes = co_await doors.mailboxes.list(account);
  if (!boxes) co_return;
  for (const auto& box : *boxes) {
    const auto view = co_await doors.mailboxes.view(account, box.id);
    if (!view) continue;
    for (std::size_t i = 0; i < (*view)->size(); ++i) {
      const auto row = (*view)->row(i);
      if (!items.contains(row.item)) continue;
      out.push_back(json::object{{"account", name}, {"folder", box.path}, {"uid", row.uid.value}});
    }
  }
}

Task<Result<json::array>> places_of(const CommandDoors& doors, std::vector<mailbox::BlobId> blobs) {
  json::array out;
  auto holders = co_await doors.mailboxes.holders(std::move(blobs));
  if (!holders) co_return failed(holders);
  std::map<mailbox::AccountId, std::set<mailbox::ItemId>> items;
  for (const auto& holder : *holders) items[holder.account].insert(holder.item);
  for (const auto& [account, wanted] : items) co_await add_places(doors, account, wanted, out);
  co_return out;
}

Task<Result<json::value>> store_step(const CommandDoors& doors, Conversation& conversation) {
  if (!conversation.check) co_return failure(Failure::Kind::permanent, "F-6131", "No check has begun");
  store::Check& check = *conversation.check;
  using Stage = store::Check::Stage;
  if (check.stage() != Stage::done) {
    auto stepped = co_await check.step();
    if (!stepped) co_return failed(stepped);
  }
  const auto& report = check.report();
  const Stage stage = check.stage();
  json::object out{{"stage", stage == Stage::log     ? "log"
                             : stage == Stage::blobs ? "contents"
                             : stage == Stage::index ? "index"
                                                     : "done"},
                   {"done", stage == Stage::done},
                   {"segments", report.segments},
                   {"records", report.records},
                   {"log_bytes", report.log_bytes},
                   {"damaged_records", report.damaged_records},
                   {"contents", report.blobs},
                   {"content_bytes", report.blob_bytes},
                   {"damaged_contents", report.damaged_blobs},
                   {"index_keys", report.index_keys},
                   {"different_keys", report.different_keys}};
  if (stage != Stage::done) co_return json::value(std::move(out));
  out["problems"] = texts(report.problems);
  out["left"] = texts(report.left);
  auto places = co_await places_of(doors, report.damaged);
  if (!places) co_return failed(places);
  out["unreadable"] = std::move(*places);
  co_return json::value(std::move(out));
}

// ---- accounts

Task<Result<json::value>> accounts(const CommandDoors& doors) {
  auto stored = co_await doors.mailboxes.stored_accounts();
  if (!stored) co_return failed(stored);
  auto removed = doors.admin.list_removed();
  if (!removed) co_return failed(removed);
  json::array out;
  for (const auto id : *stored) {
    auto known = doors.directory.account(id);
    if (!known) co_return failed(known);
    json::object one{{"id", id.value}};
    const auto gone = [id](const directory::RemovedAccount& account) { return account.account.id == id; };
    const auto was = std::ranges::find_if(*removed, gone);
    if (*known) {
      one["address"] = (*known)->address;
    } else if (was != removed->end()) {
      one["address"] = was->account.address;
      one["removed"] = true;
    } else {
      one["unknown"] = true;  // Mail that nobody can reach.
    }
    out.push_back(std::move(one));
  }
  co_return json::value(std::move(out));
}

Task<Result<json::value>> account(const CommandDoors& doors, Conversation& conversation, const Asked& asked) {
  const auto id = asked.number("id");
  if (!id || *id == 0 || *id > UINT32_MAX) co_return failure(Failure::Kind::permanent, "F-6132", "No such account");
  const mailbox::AccountId account(static_cast<std::uint32_t>(*id));
  // What is in memory was read before the index was mended.
  const bool mended = conversation.check && conversation.check->report().different_keys > 0;
  if (asked.flag("repair") && mended) co_await doors.mailboxes.start_anew(account);
  auto checked = co_await doors.mailboxes.check(account, asked.flag("repair"));
  if (!checked) co_return failed(checked);
  json::object records;
  for (const auto& [kind, count] : checked->records) records[std::string_view(&kind, 1)] = count;
  co_return json::value(json::object{{"problems", texts(checked->problems)},
                                     {"left", texts(asked.flag("repair") ? checked->left : checked->problems)},
                                     {"records", std::move(records)},
                                     {"lost", checked->lost}});
}

// ---- what is in no mailbox

// Who gets what has no owner any more (RFC 5321 §4.5.1: every domain has a postmaster).
Result<std::optional<mailbox::AccountId>> postmaster(const CommandDoors& doors) {
  for (const auto& domain : doors.directory.domains()) {
    auto target = doors.directory.resolve("postmaster", domain);
    if (!target) return failed(target);
    if (target->kind == directory::Target::Kind::account) return std::optional(target->account);
    for (const auto& address : target->addresses) {
      auto found = doors.directory.account_of_login(address);
      if (!found) return failed(found);
      if (*found) return std::optional((*found)->id);
    }
  }
  return std::optional<mailbox::AccountId>();
}

struct Rescue {
  std::uint64_t found = 0, filed = 0;
  std::map<mailbox::AccountId, std::uint64_t> into;
  std::vector<std::string> failures;
};

Task<Result<void>> rescue_orphans(const CommandDoors& doors, bool repair, std::optional<mailbox::AccountId> fallback,
                                  Rescue& out) {
  auto orphans = co_await doors.mailboxes.orphans();
  if (!orphans) co_return failed(orphans);
  out.found += orphans->size();
  if (!repair) co_return Result<void>{};
  for (const auto& orphan : *orphans) {
    auto known = doors.directory.account(orphan.account);
    if (!known) co_return failed(known);
    const auto into = *known ? std::optional(orphan.account) : fallback;
    if (!into) {
      out.failures.emplace_back("there is no account for what was lost, and no postmaster");
      continue;
    }
    auto placed = co_await doors.mailboxes.rescue(orphan, *into);
    if (placed) {
      ++out.filed;
      ++out.into[*into];
    } else {
      out.failures.push_back(placed.error().text + " (" + placed.error().cause + ")");
    }
  }
  co_return Result<void>{};
}

// Bodies in the log whose transaction was damaged: whose they were stood there.
Task<Result<void>> rescue_bodies(const CommandDoors& doors, store::Check& check, bool repair,
                                 std::optional<mailbox::AccountId> fallback, Rescue& out) {
  auto& bodies = check.lost_bodies();
  out.found += bodies.size();
  if (!repair) co_return Result<void>{};
  std::erase_if(bodies, [](const std::string& body) { return body.empty(); });
  while (!bodies.empty() && fallback) {
    mailbox::NewMessage message;
    message.octets = bodies.back();
    std::vector<mailbox::Placing> placings(1);
    placings.front().account = *fallback;
    placings.front().path = std::string(mailbox::lost_and_found);
    placings.front().create = true;
    auto placed = co_await doors.mailboxes.file(std::move(message), std::move(placings));
    if (!placed) co_return failed(placed);
    bodies.pop_back();
    ++out.filed;
    ++out.into[*fallback];
  }
  if (!bodies.empty()) {
    out.failures.emplace_back("there is no postmaster for what was lost");
    co_return Result<void>{};
  }
  co_return co_await check.settle();
}

Task<Result<json::value>> lost(const CommandDoors& doors, Conversation& conversation, const Asked& asked) {
  auto fallback = postmaster(doors);
  if (!fallback) co_return failed(fallback);
  const bool repair = asked.flag("repair");
  Rescue rescue;
  auto done = co_await rescue_orphans(doors, repair, *fallback, rescue);
  if (!done) co_return failed(done);
  if (conversation.check && conversation.check->stage() == store::Check::Stage::done) {
    done = co_await rescue_bodies(doors, *conversation.check, repair, *fallback, rescue);
    if (!done) co_return failed(done);
  }
  json::array into;
  for (const auto& [id, count] : rescue.into) {
    const auto known = doors.directory.account(id);
    into.push_back(
        json::object{{"address", known && *known ? (*known)->address : std::to_string(id.value)}, {"messages", count}});
    // Many clients show only what is subscribed (RFC 9051 §6.3.7).
    static_cast<void>(co_await doors.mailboxes.subscribe(id, std::string(mailbox::lost_and_found), true));
  }
  doors.scope.event("fsck_finished").field("lost", rescue.found).field("filed", rescue.filed);
  co_return json::value(json::object{{"found", rescue.found},
                                     {"filed", rescue.filed},
                                     {"into", std::move(into)},
                                     {"failures", texts(rescue.failures)}});
}

}  // namespace

bool is_fsck(std::string_view command) { return command.starts_with("fsck."); }

Task<Result<json::value>> fsck(const CommandDoors& doors, Conversation& conversation, const Asked& asked) {
  const std::string command = asked.text("command");
  if (command == "fsck.begin") co_return co_await begin(doors, conversation, asked);
  if (command == "fsck.store") co_return co_await store_step(doors, conversation);
  if (command == "fsck.accounts") co_return co_await accounts(doors);
  if (command == "fsck.account") co_return co_await account(doors, conversation, asked);
  if (command == "fsck.lost") co_return co_await lost(doors, conversation, asked);
  co_return failure(Failure::Kind::permanent, "F-6133", "There is no command \"" + command + "\"");
}

}  // namespace facteur::server
