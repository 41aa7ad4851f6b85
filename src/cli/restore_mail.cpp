// `facteur restore --account`: mail out of a backup into a mailbox, which may be in use.
#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "backup/opened.hpp"
#include "base/ascii.hpp"
#include "cli/ask.hpp"
#include "cli/backup.hpp"
#include "cli/backup_folder.hpp"
#include "cli/json_members.hpp"
#include "cli/kept_open.hpp"
#include "cli/print.hpp"
#include "cli/restored.hpp"
#include "cli/site.hpp"
#include "config/load.hpp"
#include "observe/timestamp.hpp"
#include "roles/identity.hpp"
#include "server/transfers.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t asked_at_once = 200;  // Messages.

struct Heard {
  json::object result;
  std::string octets;
};

Task<Result<Heard>> exchange(Line& line, json::object request, std::string octets = {}) {
  server::ControlMessage message{json::serialize(request), std::move(octets)};
  auto sent = line.send(std::move(message));
  if (!sent) co_return failed(sent);
  json::value result;
  auto reply = checked(co_await line.receive(), result);
  if (!reply) co_return failed(reply);
  Heard out;
  if (result.is_object()) out.result = std::move(result.get_object());
  if (result.is_array()) out.result["list"] = std::move(result);
  out.octets = std::move(reply->octets);
  co_return out;
}

// What is at the other end of a line in one mailbox, page by page. To search a large backup takes its time: the other
// line is kept open meanwhile.
Task<Result<std::vector<json::object>>> contents(Line& line, std::string address, std::string mailbox, bool texts,
                                                 KeptOpen& other) {
  std::vector<json::object> out;
  std::uint64_t after = 0;
  for (bool more = true; more;) {
    json::object request{
        {"command", "export.contents"}, {"address", address}, {"mailbox", mailbox}, {"after", after}, {"texts", texts}};
    auto heard = co_await exchange(line, std::move(request));
    if (!heard) co_return failed(heard);
    for (const auto& item : array_in(heard->result, "messages")) {
      if (item.is_object()) out.push_back(item.get_object());
    }
    after = number_in(heard->result, "last");
    more = flag_in(heard->result, "more");
    auto open = co_await other.still();
    if (!open) co_return failed(open);
  }
  co_return out;
}

class Choice {
 public:
  explicit Choice(const RestoreMailOptions& options)
      : options_(options), ids_(options.ids.begin(), options.ids.end()), match_(ascii::lower(options.match)) {}

  bool mailbox(const std::string& path) const {
    return options_.mailbox.empty() || path == options_.mailbox || path.starts_with(options_.mailbox + "/");
  }
  bool texts() const { return !match_.empty() || options_.list; }
  bool all() const { return ids_.empty() && match_.empty(); }
  bool message(const json::object& one) {
    if (!ids_.empty() && !ids_.contains(number_in(one, "id"))) return false;
    const bool fits = match_.empty() || ascii::lower(text_in(one, "from")).find(match_) != std::string::npos ||
                      ascii::lower(text_in(one, "subject")).find(match_) != std::string::npos;
    if (fits) seen_.insert(number_in(one, "id"));
    return fits;
  }
  std::vector<std::uint64_t> not_seen() const {
    std::vector<std::uint64_t> out;
    std::ranges::set_difference(ids_, seen_, std::back_inserter(out));
    return out;
  }

 private:
  const RestoreMailOptions& options_;
  std::set<std::uint64_t> ids_;
  std::string match_;
  std::set<std::uint64_t> seen_;
};

// From one line to another.
class Carriage {
 public:
  Carriage(Line& from, Line* to, const Context& context, const RestoreMailOptions& options)
      : from_(from), to_(to), options_(options), choice_(options), progress_(context) {}

  Task<Result<void>> run() {
    json::object request{{"command", "export.mailboxes"}, {"address", options_.account}};
    auto boxes = co_await exchange(from_, std::move(request));
    if (!boxes) co_return failed(boxes);
    bool any = false;
    for (const auto& item : array_in(boxes->result, "list")) {
      const std::string path = item.is_object() ? text_in(item.get_object(), "path") : std::string();
      if (path.empty() || !choice_.mailbox(path)) continue;
      any = true;
      auto done = co_await take(path);
      if (!done) co_return done;
    }
    if (!any) co_return failure(Failure::Kind::permanent, "F-6262", "No such mailbox in the backup", options_.mailbox);
    const auto missing = choice_.not_seen();
    if (missing.empty()) co_return Result<void>{};
    co_return failure(Failure::Kind::permanent, "F-6263", "No such message in the backup",
                      std::to_string(missing.front()));
  }

  std::uint64_t restored = 0, present = 0, unreadable = 0;
  json::array listed;
  const Progress& progress() const { return progress_; }

 private:
  std::string target_of(const std::string& path) const {
    if (options_.into.empty()) return path;
    // One mailbox, or single messages, go to the named place itself; more keep their names below it.
    return options_.mailbox.empty() && choice_.all() ? options_.into + "/" + path : options_.into;
  }
  std::string address() const { return options_.for_account.empty() ? options_.account : options_.for_account; }

  Task<Result<void>> take(std::string path) {
    auto there = co_await contents(from_, options_.account, path, choice_.texts(), kept_open_);
    if (!there) co_return failed(there);
    std::erase_if(*there, [&](const json::object& one) { return !choice_.message(one); });
    if (options_.list) {
      for (auto& one : *there) {
        one["mailbox"] = path;
        one["received"] = observe::to_iso8601(UtcTime{static_cast<std::int64_t>(number_in(one, "received"))});
        one.erase("content");
        listed.push_back(std::move(one));
      }
      co_return Result<void>{};
    }
    if (there->empty() && !choice_.all()) co_return Result<void>{};
    co_return co_await complete(std::move(path), std::move(*there));
  }

  // What is there already is counted by content: two of the same are two messages.
  Task<Result<void>> complete(std::string path, std::vector<json::object> wanted) {
    const std::string target = target_of(path);
    auto now = co_await contents(*to_, address(), target, false, kept_open_);
    if (!now) co_return failed(now);
    std::map<std::string, std::size_t> have;
    for (const auto& one : *now) ++have[text_in(one, "content")];
    std::vector<std::uint64_t> uids;
    for (const auto& one : wanted) {
      auto& left = have[text_in(one, "content")];
      if (left > 0) {
        --left;
        ++present;
      } else {
        uids.push_back(number_in(one, "uid"));
      }
    }
    json::object enter{{"command", "import.mailbox"}, {"address", address()}, {"mailbox", target}};
    auto entered = co_await exchange(*to_, std::move(enter));
    if (!entered) co_return failed(entered);
    for (std::size_t at = 0; at < uids.size(); at += asked_at_once) {
      const std::size_t end = std::min(uids.size(), at + asked_at_once);
      json::array some(uids.begin() + static_cast<std::ptrdiff_t>(at), uids.begin() + static_cast<std::ptrdiff_t>(end));
      auto carried = co_await carry(path, uids[at], uids[end - 1], std::move(some));
      if (!carried) co_return carried;
    }
    co_return Result<void>{};
  }

  Task<Result<void>> carry(std::string path, std::uint64_t first, std::uint64_t last, json::array uids) {
    for (std::uint64_t after = first - 1; after < last;) {
      json::object request{{"command", "export.messages"},
                           {"address", options_.account},
                           {"mailbox", path},
                           {"after", after},
                           {"uids", uids}};
      auto page = co_await exchange(from_, std::move(request));
      if (!page) co_return failed(page);
      auto filed = co_await file(path, page->result, page->octets);
      if (!filed) co_return filed;
      after = number_in(page->result, "last");
      if (!flag_in(page->result, "more")) break;
    }
    co_return Result<void>{};
  }

  // A page of messages, as they came, in as few requests as can be.
  Task<Result<void>> file(const std::string& path, const json::object& page, Bytes octets) {
    json::array messages;
    std::string batch;
    for (const auto& item : array_in(page, "messages")) {
      json::object one = object_in(item);
      if (one.contains("error")) {
        ++unreadable;
        continue;
      }
      const std::uint64_t size = number_in(one, "size");
      const std::uint64_t prefix = number_in(one, "prefix");
      if (flag_in(one, "in_pieces")) {
        auto sent = co_await send(messages, batch);
        if (!sent) co_return sent;
        auto large = co_await file_large(path, std::move(one), size, prefix);
        if (!large) co_return large;
        continue;
      }
      batch += octets.substr(0, size);
      octets.remove_prefix(std::min<std::size_t>(size, octets.size()));
      one["size"] = size - prefix;
      messages.push_back(std::move(one));
    }
    co_return co_await send(messages, batch);
  }

  Task<Result<void>> file_large(std::string path, json::object one, std::uint64_t size, std::uint64_t prefix) {
    std::string front;
    for (std::uint64_t at = 0; at < size;) {
      json::object request{{"command", "export.piece"},
                           {"address", options_.account},
                           {"mailbox", path},
                           {"uid", number_in(one, "uid")},
                           {"offset", at}};
      auto piece = co_await exchange(from_, std::move(request));
      if (!piece) co_return failed(piece);
      if (piece->octets.empty()) {
        co_return failure(Failure::Kind::temporary, "F-6264", "A message ended too early");
      }
      at += piece->octets.size();
      if (front.size() < prefix) {
        const auto taken = std::min<std::size_t>(prefix - front.size(), piece->octets.size());
        front += piece->octets.substr(0, taken);
        piece->octets.erase(0, taken);
      }
      if (piece->octets.empty()) continue;
      json::object put{{"command", "import.piece"}};
      auto heard = co_await exchange(*to_, std::move(put), std::move(piece->octets));
      if (!heard) co_return failed(heard);
    }
    json::array messages;
    messages.push_back(std::move(one));
    progress_.add(0, size);
    co_return co_await send(messages, front);
  }

  Task<Result<void>> send(json::array& messages, std::string& octets) {
    if (messages.empty()) co_return Result<void>{};
    progress_.add(messages.size(), octets.size());
    json::object request{{"command", "import.messages"}, {"messages", std::move(messages)}};
    std::string sent = std::move(octets);
    messages = {};
    octets = {};
    auto heard = co_await exchange(*to_, std::move(request), std::move(sent));
    if (!heard) co_return failed(heard);
    restored += number_in(heard->result, "imported");
    co_return Result<void>{};
  }

  Line& from_;
  Line* to_;
  KeptOpen kept_open_{to_};
  const RestoreMailOptions& options_;
  Choice choice_;
  Progress progress_;
};

void tell_list(const Context& context, const json::array& listed) {
  if (context.json) {
    print(json::serialize(listed) + "\n");
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& item : listed) {
    const auto& one = item.get_object();
    rows.push_back({std::to_string(number_in(one, "id")), text_in(one, "received"), text_in(one, "mailbox"),
                    std::to_string(number_in(one, "size")), text_in(one, "from"), text_in(one, "subject")});
  }
  print(table(rows));
}

Task<void> carry(Line& from, Line* to, const Context& context, const RestoreMailOptions& options, int& code) {
  Carriage carriage(from, to, context, options);
  auto done = co_await carriage.run();
  if (!done) complain_of(done.error());
  if (!done || carriage.unreadable > 0) code = ExitCode::failed;
  if (options.list) {
    tell_list(context, carriage.listed);
  } else if (context.json) {
    print(json::serialize(json::object{{"restored", carriage.restored},
                                       {"present", carriage.present},
                                       {"unreadable", carriage.unreadable},
                                       {"bytes", carriage.progress().octets()},
                                       {"seconds", carriage.progress().seconds()}}) +
          "\n");
  } else {
    print(context.say("restore.mail", {std::to_string(carriage.restored), std::to_string(carriage.present),
                                       std::to_string(carriage.unreadable)}) +
          "\n");
  }
}

// The store of a stopped server, in the world of the backup that is being read.
Task<void> carry_offline(Line& from, host::World& world, const config::Config& config, const Context& context,
                         const RestoreMailOptions& options, int& code) {
  code = ExitCode::failed;
  auto data = host::Disk::open_root(config.server.data);
  auto locked = data ? (*data)->lock() : Result<bool>(failed(data));
  if (!locked) {
    complain_of(locked.error());
    co_return;
  }
  if (!*locked) {
    complain(context.say("error.busy", {config.server.data}));
    code = ExitCode::busy;
    co_return;
  }
  auto engine = open_store(world, **data, config, observe::Scope(world.log));
  if (!engine) {
    complain_of(engine.error());
    co_return;
  }
  if (auto settled = co_await settle_restored(world, **data, **engine); !settled) {
    complain_of(settled.error());
    co_await (*engine)->close();
    co_return;
  }
  code = ExitCode::done;
  const Talk work = [&](Line& to) { return carry(from, &to, context, options, code); };
  co_await talk_with(world, **engine, config, work);
}

Task<void> choose_target(Line& from, host::World& world, const config::Config& config, const Context& context,
                         const RestoreMailOptions& options, int& code) {
  if (options.list) {
    co_await carry(from, nullptr, context, options, code);
    co_return;
  }
  auto line = open_line(config.control_socket());
  if (!line) {
    co_await carry_offline(from, world, config, context, options, code);
  } else if (*line) {
    co_await carry(from, (**line).get(), context, options, code);
  } else {
    complain_of(line->error());
    code = ExitCode::failed;
  }
}

}  // namespace

int restore_mail(const Context& context, const RestoreMailOptions& options) {
  config::Loaded loaded;
  if (!options.list) {
    loaded = config::load(context.config_path);
    if (!loaded.good()) {
      complain(config::to_string(loaded.problems));
      return ExitCode::wrong_configuration;
    }
  }
  const auto folder = open_backup(context, options.folder, false);
  if (folder.exit_code != ExitCode::done) return folder.exit_code;
  const auto* generation = folder.generation(context, options.at);
  if (!generation) return ExitCode::failed;
  // What root files in the store of a stopped server must belong to the server's user. Before there is a second thread.
  if (!options.list) {
    if (auto other = roles::become_owner(loaded.config.server.data); !other) {
      complain_of(other.error());
      return ExitCode::failed;
    }
  }
  auto opened = OpenedGeneration::open(*folder.repository, *generation, options.scratch);
  if (!opened) {
    complain_of(opened.error());
    return ExitCode::failed;
  }
  int code = ExitCode::done;
  const Talk work = [&](Line& from) {
    return choose_target(from, opened->world(), loaded.config, context, options, code);
  };
  const config::Config then = configuration_in(*folder.repository, *generation);
  run_to_end(opened->world(), talk_with(opened->world(), opened->engine(), then, work));
  return code;
}

}  // namespace facteur::cli
