// `facteur restore --to`: a new data folder out of a backup.
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>

#include "cli/backup.hpp"
#include "cli/backup_folder.hpp"
#include "roles/data_folder.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

// Where the configuration, certificates and keys of a generation are now.
std::vector<std::string> files_of(const backup::Generation& generation, const host::Disk& data) {
  std::vector<std::string> out;
  for (const auto& file : generation.manifest.files) {
    const std::string path = std::string(backup::restored_folder) + file.path;
    std::error_code none;
    if (file.what != "data" && fs::exists(fs::path(data.root()) / path, none)) out.push_back(path);
  }
  return out;
}

struct Restored {
  std::vector<backup::Finding> findings;
  std::vector<std::string> files;
  Contents contents;
  std::string user;  // Whose the folder is now; empty: ours.
};

Result<Restored> restore_all(const BackupFolder& folder, const backup::Generation& generation, host::World& world,
                             const backup::Pace& pace, backup::Since since) {
  Restored out;
  auto findings = backup::restore(*folder.repository, generation, *world.disk, pace, since);
  if (!findings) return failed(findings);
  out.findings = std::move(*findings);
  out.files = files_of(generation, *world.disk);
  // Opened once: the index is made, and what is there can be said.
  store::EngineParameters parameters{.disk = *world.disk,
                                     .shards = world.shards,
                                     .clock = world.clock,
                                     .random = world.random,
                                     .scope = observe::Scope(world.log)};
  auto engine = store::open(std::move(parameters));
  if (!engine) return failed(engine);
  auto contents = contents_of(world, **engine, configuration_in(*folder.repository, generation), false);
  if (!contents) return failed(contents);
  out.contents = std::move(*contents);
  return out;
}

void tell(const Context& context, const std::string& to, const backup::Generation& generation, const Restored& restored,
          const Progress& progress, bool moved) {
  for (const auto& finding : restored.findings) complain(context.say("verify.finding", {finding.file, finding.why}));
  for (const auto& record : restored.contents.damaged) complain(context.say("verify.record", {record}));
  if (context.json) {
    json::array files(restored.files.begin(), restored.files.end());
    json::array wrong;
    for (const auto& one : restored.findings) wrong.push_back(json::object{{"file", one.file}, {"why", one.why}});
    json::array damaged(restored.contents.damaged.begin(), restored.contents.damaged.end());
    print(json::serialize(json::object{{"generation", generation.name},
                                       {"data", to},
                                       {"bytes", progress.octets()},
                                       {"accounts", restored.contents.accounts},
                                       {"messages", restored.contents.messages},
                                       {"queued", restored.contents.queued},
                                       {"user", restored.user},
                                       {"moved", moved},
                                       {"files", std::move(files)},
                                       {"findings", std::move(wrong)},
                                       {"damaged", std::move(damaged)},
                                       {"seconds", progress.seconds()}}) +
          "\n");
    return;
  }
  print(context.say("restore.done",
                    {generation.name, to, mebibytes(progress.octets()), std::to_string(restored.contents.accounts),
                     std::to_string(restored.contents.messages), std::to_string(restored.contents.queued)}) +
        "\n");
  for (const auto& path : restored.files) print("  " + to + "/" + path + "\n");
  if (!moved) print(context.say("restore.numbered_anew") + "\n");
  if (!restored.user.empty()) print(context.say("restore.given", {to, restored.user}) + "\n");
}

// Root restores for the server's user, if this machine has it. What goes elsewhere, keys above all, stays root's.
Result<std::string> give_away(const std::string& to, const config::Server& server) {
  using Processes = config::Server::Processes;
  const auto user = roles::find_user(server.user);
  if (::geteuid() != 0 || server.processes == Processes::one || !user || user->user == 0) return std::string();
  if (auto given = roles::give_data_folder(to, *user, std::string(backup::restored_folder)); !given) {
    return failed(given);
  }
  return user->name;
}

}  // namespace

int restore(const Context& context, const RestoreOptions& options) {
  const auto folder = open_backup(context, options.folder, false);
  if (folder.exit_code != ExitCode::done) return folder.exit_code;
  const auto* generation = folder.generation(context, options.at);
  if (!generation) return ExitCode::failed;
  // Others must find the way to it.
  std::error_code wrong;
  fs::create_directories(fs::absolute(options.to).lexically_normal().parent_path(), wrong);
  auto world = world_of(options.to);
  if (!world) {
    complain_of(world.error());
    return ExitCode::failed;
  }
  auto locked = (*world)->disk->lock();
  if (!locked || !*locked) {
    complain(context.say("error.busy", {options.to}));
    return ExitCode::busy;
  }
  const auto fits = backup::restorable_to(*(*world)->disk);
  if (!fits || !*fits) {
    complain(context.say("restore.not_empty", {options.to}));
    return ExitCode::failed;
  }
  Progress progress(context, Progress::Of::octets);
  const backup::Pace pace = [&progress](std::uint64_t octets) -> Result<void> {
    progress.add(0, octets);
    return {};
  };
  auto restored =
      restore_all(folder, *generation, **world, pace, options.moved ? backup::Since::moved : backup::Since::lost);
  if (!restored) {
    complain_of(restored.error());
    return ExitCode::failed;
  }
  auto given = give_away(options.to, configuration_in(*folder.repository, *generation).server);
  if (!given) {
    complain_of(given.error());
    return ExitCode::failed;
  }
  restored->user = std::move(*given);
  tell(context, options.to, *generation, *restored, progress, options.moved);
  return restored->findings.empty() && restored->contents.damaged.empty() ? ExitCode::done : ExitCode::failed;
}

}  // namespace facteur::cli
