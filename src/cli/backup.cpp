#include "cli/backup.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <span>

#include "base/base64.hpp"
#include "cli/ask.hpp"
#include "cli/backup_folder.hpp"
#include "cli/json_members.hpp"
#include "cli/site.hpp"
#include "config/load.hpp"
#include "store/folders.hpp"
#include "store/format.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

struct Found {
  std::string what, path, content;
};

// The configuration, and the files it names. One that cannot be read ends the backup: mail without its keys is of
// little use.
class SiteFiles {
 public:
  Result<std::vector<Found>> collect(const std::string& config_path, const config::Config& config) {
    add("configuration", config_path);
    std::vector<std::string> more;
    std::error_code wrong;
    const auto folder = fs::absolute(config_path).parent_path() / "conf.d";
    for (const auto& entry : fs::directory_iterator(folder, wrong)) {
      if (entry.path().extension() == ".toml") more.push_back(entry.path().string());
    }
    std::ranges::sort(more);
    for (const auto& path : more) add("configuration", path);
    for (const auto& pair : config.tls.certificates) {
      add("certificate", pair.certificate);
      add("key", pair.key);
    }
    add("zone", config.dns.zone_file);
    add("anchor", config.dns.trust_anchor_file);
    if (config.delivery.smarthost) add("password", config.delivery.smarthost->password_file);
    if (failure_) return std::unexpected(*failure_);
    return std::move(found_);
  }

 private:
  void add(const char* what, const std::string& path) {
    if (path.empty()) return;
    auto content = read_file(path);
    if (content) {
      found_.push_back({what, fs::absolute(path).lexically_normal().string(), std::move(*content)});
    } else if (!failure_) {
      failure_ = std::move(content.error());
    }
  }

  std::vector<Found> found_;
  std::optional<Failure> failure_;
};

bool holds(std::span<const std::string_view> names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

// What lies in the data folder beside the store: keys above all.
Result<void> collect_data(host::Disk& data, const std::string& folder, const std::string& never,
                          std::vector<Found>& found) {
  constexpr std::array<std::string_view, 3> others{"control.sock", "restoring", "restored"};
  auto names = data.list(folder);
  if (!names) return failed(names);
  for (const auto& name : *names) {
    if (folder.empty() && (holds(store::own_folders, name) || holds(others, name))) continue;
    if (name.ends_with(".new")) continue;  // Being written.
    const std::string path = folder.empty() ? name : folder + "/" + name;
    std::error_code wrong;
    const fs::path real = fs::path(data.root()) / path;
    if (fs::is_directory(real, wrong)) {
      if (fs::equivalent(real, never, wrong)) continue;
      if (auto more = collect_data(data, path, never, found); !more) return more;
    } else if (fs::is_regular_file(fs::symlink_status(real, wrong))) {
      auto content = backup::read_whole(data, path);
      if (!content) return failed(content);
      found.push_back({"data", path, std::move(*content)});
    }
  }
  return {};
}

struct Plan {
  std::string instance;
  UtcTime taken;
  std::vector<store::HeldLog::Part> parts;
};

Plan plan_of(const json::value& answer) {
  Plan out;
  const auto& object = object_in(answer);
  out.instance = text_in(object, "instance");
  out.taken.milliseconds = static_cast<std::int64_t>(number_in(object, "taken"));
  for (const auto& item : array_in(object, "segments")) {
    const auto& one = object_in(item);
    store::HeldLog::Part part;
    part.segment = static_cast<std::uint32_t>(number_in(one, "number"));
    part.length = static_cast<std::uint32_t>(number_in(one, "length"));
    for (const char c : from_hex(text_in(one, "nonce")).value_or("")) {
      part.nonce = part.nonce << 8 | static_cast<unsigned char>(c);
    }
    out.parts.push_back(part);
  }
  return out;
}

Task<void> ask_line(Line& line, std::string command, Result<json::value>& out) {
  server::ControlMessage message{json::serialize(json::object{{"command", command}}), {}};
  if (auto sent = line.send(std::move(message)); !sent) {
    out = failed(sent);
    co_return;
  }
  json::value result;
  auto reply = checked(co_await line.receive(), result);
  if (reply) {
    out = std::move(result);
  } else {
    out = failed(reply);
  }
}

// One backup under way.
class Backup {
 public:
  Backup(Line& line, const Context& context, const BackupOptions& options, backup::Repository& repository,
         const config::Config& config)
      : line_(line),
        context_(context),
        options_(options),
        repository_(repository),
        config_(config),
        progress_(context, Progress::Of::octets) {}

  Result<void> run() {
    auto answer = say("backup.begin");
    if (!answer) return failed(answer);
    const Plan plan = plan_of(*answer);
    const backup::Pace pace = [this](std::uint64_t octets) { return go_on(octets); };
    auto run = backup::Run::begin(repository_, pace);
    if (!run) return failed(run);
    auto data = host::Disk::open_root(config_.server.data);
    if (!data) return failed(data);
    if (auto copied = copy(*run, plan, **data); !copied) return copied;
    // Held to the end, or what was copied last may be something else.
    if (auto ended = say("backup.end"); !ended) return failed(ended);
    auto name = run->finish(plan.instance, FACTEUR_VERSION, plan.taken);
    if (!name) return failed(name);
    Result<std::size_t> gone = 0;
    if (options_.keep > 0) gone = repository_.keep(options_.keep);
    tell(*run, *name, gone.value_or(0));
    if (!gone) return failed(gone);
    damaged_ = !run->manifest().damaged.empty();
    return {};
  }

  bool damaged() const { return damaged_; }

 private:
  Result<void> copy(backup::Run& run, const Plan& plan, host::Disk& data) {
    for (const auto& part : plan.parts) {
      auto original = data.open(store::segment_path(part.segment), world::Disk::Mode::read);
      if (!original) return failed(original);
      if (auto added = run.add(part, **original); !added) return added;
    }
    auto files = SiteFiles().collect(context_.config_path, config_);
    if (!files) return failed(files);
    if (auto more = collect_data(data, "", options_.folder, *files); !more) return more;
    for (auto& file : *files) {
      if (auto added = run.add(file.what, file.path, file.content); !added) return added;
    }
    return {};
  }

  // The server ends a conversation that is silent for a minute, and with it the hold on its files.
  Result<void> go_on(std::uint64_t octets) {
    using namespace std::chrono_literals;
    progress_.add(0, octets);
    const auto now = std::chrono::steady_clock::now();
    if (now - said_ < 10s) return {};
    auto answer = say("backup.still");
    return answer ? Result<void>() : failed(answer);
  }

  // The answer is there when this returns: the line waits in the system, and these commands wait for nothing.
  Result<json::value> say(std::string command) {
    said_ = std::chrono::steady_clock::now();
    Result<json::value> out = failure(Failure::Kind::temporary, "F-6261", "The server did not answer");
    TaskGroup tasks;
    tasks.start(ask_line(line_, std::move(command), out));
    return out;
  }

  void tell(const backup::Run& run, const std::string& name, std::size_t removed) {
    const auto& manifest = run.manifest();
    for (const auto& path : run.mended()) complain(context_.say("backup.mended", {path}));
    for (const auto& place : manifest.damaged) complain(context_.say("backup.damaged", {place}));
    if (context_.json) {
      json::array damaged(manifest.damaged.begin(), manifest.damaged.end());
      json::array mended(run.mended().begin(), run.mended().end());
      print(json::serialize(json::object{{"generation", name},
                                         {"bytes", manifest.octets()},
                                         {"written", run.written()},
                                         {"segments", manifest.segments.size()},
                                         {"files", manifest.files.size()},
                                         {"removed", removed},
                                         {"generations", repository_.generations().size()},
                                         {"mended", std::move(mended)},
                                         {"damaged", std::move(damaged)},
                                         {"seconds", progress_.seconds()}}) +
            "\n");
      return;
    }
    print(context_.say("backup.done", {name, mebibytes(manifest.octets()), mebibytes(run.written()),
                                       std::to_string(repository_.generations().size())}) +
          "\n");
  }

  Line& line_;
  const Context& context_;
  const BackupOptions& options_;
  backup::Repository& repository_;
  const config::Config& config_;
  Progress progress_;
  std::chrono::steady_clock::time_point said_;
  bool damaged_ = false;
};

Task<void> work(Line& line, const Context& context, const BackupOptions& options, backup::Repository& repository,
                const config::Config& config, int& code) {
  Backup backup(line, context, options, repository, config);
  if (auto done = backup.run(); !done) {
    complain_of(done.error());
    code = ExitCode::failed;
  } else if (backup.damaged()) {
    code = ExitCode::failed;
  }
  co_return;
}

}  // namespace

int back_up(const Context& context, const BackupOptions& options) {
  const auto loaded = config::load(context.config_path);
  if (!loaded.good()) {
    complain(config::to_string(loaded.problems));
    return ExitCode::wrong_configuration;
  }
  auto folder = open_backup(context, options.folder, true);
  if (folder.exit_code != ExitCode::done) return folder.exit_code;
  for (const auto& path : folder.repository->unreadable()) complain(context.say("backup.unreadable", {path}));
  int code = ExitCode::done;
  const int talked =
      talk(context, [&](Line& line) { return work(line, context, options, *folder.repository, loaded.config, code); });
  return talked != ExitCode::done ? talked : code;
}

}  // namespace facteur::cli
