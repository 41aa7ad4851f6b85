#include "cli/fsck.hpp"

#include <boost/json.hpp>

#include "cli/ask.hpp"
#include "cli/json_members.hpp"
#include "cli/progress.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;

class Fsck {
 public:
  Fsck(Line& line, const Context& context, const FsckOptions& options)
      : line_(line), context_(context), options_(options) {}

  Task<Result<void>> run() {
    if (options_.account.empty()) {
      auto checked = co_await check_store();
      if (!checked) co_return checked;
    }
    auto done = co_await check_accounts();
    if (!done || !options_.account.empty()) co_return done;
    co_return co_await look_for_lost();
  }

  std::uint64_t problems = 0, left = 0;

  void tell(double seconds) {
    if (context_.json) {
      told_["accounts"] = accounts_;
      told_["accounts_with_problems"] = std::move(bad_accounts_);
      told_["problems"] = problems;
      told_["left"] = left;
      told_["seconds"] = seconds;
      print(json::serialize(told_) + "\n");
      return;
    }
    if (problems == 0) {
      say("fsck.clean", {std::to_string(accounts_), std::to_string(contents_), std::to_string(keys_)});
    } else if (left == 0) {
      say("fsck.repaired", {std::to_string(problems)});
    } else {
      say("fsck.left", {std::to_string(problems), std::to_string(left)});
    }
  }

  Progress& progress() { return progress_; }

 private:
  void say(std::string_view key, std::initializer_list<std::string_view> values) {
    if (!context_.json) print(context_.say(key, values) + "\n");
  }

  Task<Result<json::object>> ask(const json::object& request) {
    server::ControlMessage message{json::serialize(request), {}};
    auto sent = line_.send(std::move(message));
    if (!sent) co_return failed(sent);
    json::value result;
    auto got = checked(co_await line_.receive(), result);
    if (!got) co_return failed(got);
    json::object out;
    if (result.is_object()) out = std::move(result.get_object());
    if (result.is_array()) out["list"] = std::move(result.get_array());
    co_return out;
  }

  Task<Result<void>> check_store() {
    const json::object begin{{"command", "fsck.begin"}, {"repair", options_.repair}};
    auto begun = co_await ask(begin);
    if (!begun) co_return failed(begun);
    const json::object next{{"command", "fsck.store"}};
    json::object found;
    for (std::uint64_t seen = 0; !flag_in(found, "done");) {
      auto answer = co_await ask(next);
      if (!answer) co_return failed(answer);
      found = std::move(*answer);
      const std::uint64_t now = number_in(found, "log_bytes") + number_in(found, "content_bytes");
      progress_.add(0, now - seen);
      seen = now;
    }
    contents_ = number_in(found, "contents");
    keys_ = number_in(found, "index_keys");
    problems += array_in(found, "problems").size();
    left += array_in(found, "left").size();
    for (const auto& problem : array_in(found, "problems")) say("fsck.store", {text_in(problem)});
    for (const auto& item : array_in(found, "unreadable")) {
      const auto& one = object_in(item);
      say("fsck.unreadable", {text_in(one, "account"), text_in(one, "folder"), std::to_string(number_in(one, "uid"))});
    }
    told_["store"] = std::move(found);
    co_return Result<void>{};
  }

  Task<Result<void>> check_accounts() {
    const json::object list{{"command", "fsck.accounts"}};
    auto all = co_await ask(list);
    if (!all) co_return failed(all);
    bool any = options_.account.empty();
    for (const auto& item : array_in(*all, "list")) {
      const auto& one = object_in(item);
      if (!options_.account.empty() && text_in(one, "address") != options_.account) continue;
      any = true;
      auto checked = co_await check_account(one);
      if (!checked) co_return checked;
    }
    if (any) co_return Result<void>{};
    co_return failure(Failure::Kind::permanent, "F-6290", "There is no account " + options_.account);
  }

  Task<Result<void>> check_account(const json::object& one) {
    ++accounts_;
    const std::string id = std::to_string(number_in(one, "id"));
    const std::string name = text_in(one, "address").empty() ? id : text_in(one, "address");
    if (flag_in(one, "unknown")) {
      ++problems, ++left;
      say("fsck.unknown", {id});
    }
    const json::object request{{"command", "fsck.account"}, {"id", number_in(one, "id")}, {"repair", options_.repair}};
    auto found = co_await ask(request);
    if (!found) co_return failed(found);
    progress_.add(0, 0);
    const auto& wrong = array_in(*found, "problems");
    if (wrong.empty() && !flag_in(one, "unknown")) co_return Result<void>{};
    problems += wrong.size();
    left += array_in(*found, "left").size();
    std::uint64_t records = 0;
    if (const auto* kinds = found->if_contains("records"); kinds && kinds->is_object()) {
      for (const auto& kind : kinds->get_object()) records += number_in(kinds->get_object(), kind.key());
    }
    for (const auto& problem : wrong) say("fsck.account", {name, text_in(problem)});
    if (options_.repair && records > 0) say("fsck.account_repaired", {name, std::to_string(records)});
    (*found)["address"] = name;
    if (flag_in(one, "unknown")) (*found)["unknown"] = true;
    bad_accounts_.push_back(std::move(*found));
    co_return Result<void>{};
  }

  Task<Result<void>> look_for_lost() {
    const json::object request{{"command", "fsck.lost"}, {"repair", options_.repair}};
    auto found = co_await ask(request);
    if (!found) co_return failed(found);
    const std::uint64_t lost = number_in(*found, "found");
    problems += lost;
    left += lost - number_in(*found, "filed");
    if (lost > 0 && !options_.repair) say("fsck.lost", {std::to_string(lost)});
    for (const auto& item : array_in(*found, "into")) {
      const auto& one = object_in(item);
      say("fsck.filed", {text_in(one, "address"), std::to_string(number_in(one, "messages"))});
    }
    for (const auto& why : array_in(*found, "failures")) complain(text_in(why));
    told_["lost"] = std::move(*found);
    co_return Result<void>{};
  }

  Line& line_;
  const Context& context_;
  const FsckOptions& options_;
  Progress progress_{context_, Progress::Of::octets};
  json::object told_;
  json::array bad_accounts_;
  std::uint64_t accounts_ = 0, contents_ = 0, keys_ = 0;
};

Task<void> carry_out(Line& line, const Context& context, const FsckOptions& options, int& code) {
  Fsck work(line, context, options);
  auto done = co_await work.run();
  if (!done) {
    complain(done.error().text + " (" + std::string(done.error().code) + ")");
    code = ExitCode::failed;
    co_return;
  }
  work.tell(work.progress().seconds());
  if (work.problems > 0) code = work.left == 0 ? ExitCode::repaired : ExitCode::problems;
}

}  // namespace

int fsck(const Context& context, const FsckOptions& options) {
  int code = ExitCode::done;
  const int talked = talk(context, [&](Line& line) { return carry_out(line, context, options, code); });
  return talked != ExitCode::done ? talked : code;
}

}  // namespace facteur::cli
