// facteur-sim [--from S] [--seeds N] [--cuts N] [--every N] [--twice] [--plants] [--log] [--progress]: runs whole
// simulated worlds, one for each seed.
//
//   --from S   the first seed (1)      --seeds N  how many (100)
//   --cuts N   in each, at most so many moments at which all that a power cut of the whole town would leave is compared
//              with all that was promised (10); besides, sites end and go on as the seed wants
//   --every N  these moments are 1 to N operations of a disk apart (10); 1: every operation of every disk
//   --twice    runs each seed twice and compares their hashes
//   --plants   plants one bug after the other and looks for the first seed that finds it; ends with 1 if one is not
//   found
//   --flows    each flow with each fault at each of its disk operations, and a table of them (flows.hpp)
//   --log      prints what the servers reported
//   --progress prints a line every 1,000 worlds
// Ends with 1 if any run violated what must be true; prints the seed that repeats it.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/ascii.hpp"
#include "flows.hpp"
#include "town.hpp"

namespace {

struct Options {
  std::uint64_t from = 1;
  std::uint64_t seeds = 100;
  std::uint64_t cuts = 10;
  std::uint64_t every = 10;
  bool progress = false;
  bool plants = false;
  bool flows = false;
  bool twice = false;
  bool log = false;
};

std::uint64_t* numeric(const std::string& word, Options& options) {
  if (word == "--from") return &options.from;
  if (word == "--seeds") return &options.seeds;
  if (word == "--cuts") return &options.cuts;
  return word == "--every" ? &options.every : nullptr;
}

bool read(int count, char** words, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--twice") {
      options.twice = true;
    } else if (word == "--log") {
      options.log = true;
    } else if (word == "--plants") {
      options.plants = true;
    } else if (word == "--flows") {
      options.flows = true;
    } else if (word == "--progress") {
      options.progress = true;
    } else if (std::uint64_t* const value = numeric(word, options); value != nullptr && i + 1 < count) {
      const auto number = facteur::ascii::number(words[++i]);
      if (!number || (value == &options.every && *number == 0)) return false;
      *value = *number;
    } else {
      return false;
    }
  }
  return true;
}

struct Sums {
  std::size_t bad = 0, letters = 0, promised = 0, copies = 0, doubles = 0, ends = 0, sessions = 0, cuts = 0,
              damaged = 0;
  double days = 0;

  void add(const facteur::simulation::Outcome& one) {
    letters += one.letters;
    promised += one.promised;
    copies += one.copies;
    doubles += one.doubles;
    ends += one.ends;
    sessions += one.sessions;
    cuts += one.cuts;
    damaged += one.damaged;
    days += std::chrono::duration<double>(one.lasted).count() / 86'400;
    bad += !one.violations.empty();
  }
  void print(unsigned long long worlds, unsigned long long from) const {
    std::printf(
        "%llu worlds from seed %llu (%.0f days): %zu crash points (%zu lives ended, %zu cuts of the whole town), "
        "%zu starts on a damaged index, %zu letters, %zu promises, %zu copies (%zu doubled), %zu sessions; %zu bad\n",
        worlds, from, days, ends + cuts, ends, cuts, damaged, letters, promised, copies, doubles, sessions, bad);
    std::fflush(stdout);
  }
};

facteur::simulation::Outcome run(std::uint64_t seed, const Options& options) {
  using facteur::simulation::Town;
  const facteur::simulation::Cuts cuts{options.cuts, options.every};
  auto outcome = Town(seed, cuts).run(options.log);
  if (options.twice && Town(seed, cuts).run(false).hash != outcome.hash) {
    outcome.violations.emplace_back("the same seed gave another run");
  }
  return outcome;
}

// Whether each planted bug is found.
int find_plants(const Options& options) {
  int missed = 0;
  for (const auto& [plant, name] : facteur::simulation::plants) {
    std::uint64_t seed = options.from;
    std::string found;
    for (; found.empty() && seed < options.from + options.seeds; ++seed) {
      const auto outcome = facteur::simulation::Town(seed, {options.cuts, options.every}, plant).run(false);
      if (!outcome.violations.empty()) found = outcome.violations.front();
    }
    if (found.empty()) ++missed;
    std::printf("%-16s %s\n", std::string(name).c_str(),
                found.empty() ? "NOT FOUND" : ("seed " + std::to_string(seed - 1) + ": " + found).c_str());
    std::fflush(stdout);
  }
  return missed == 0 ? 0 : 1;
}

int run_flows() {
  std::uint64_t points = 0, bad = 0;
  std::printf("%-28s %10s %7s %6s %6s %8s %5s\n", "flow", "operations", "points", "yes", "no", "unknown", "bad");
  for (const auto& name : facteur::simulation::flow_names()) {
    const auto result = facteur::simulation::run_flow(name);
    points += result.runs;
    bad += result.violations.size();
    const auto wide = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
    std::printf("%-28s %10llu %7llu %6llu %6llu %8llu %5zu\n", name.c_str(), wide(result.operations), wide(result.runs),
                wide(result.yes), wide(result.no), wide(result.unknown), result.violations.size());
    for (const auto& violation : result.violations) std::printf("  %s\n", violation.c_str());
    std::fflush(stdout);
  }
  std::printf("%llu points (kill, power cut, ENOSPC, EIO, short write at every operation), %llu bad\n",
              static_cast<unsigned long long>(points), static_cast<unsigned long long>(bad));
  return bad == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  Options options;
  if (!read(count, words, options)) {
    std::fprintf(stderr,
                 "usage: facteur-sim [--from SEED] [--seeds COUNT] [--cuts COUNT] [--every COUNT] [--twice] [--plants] "
                 "[--flows] "
                 "[--log] [--progress]\n");
    return 2;
  }
  if (options.flows) return run_flows();
  if (options.plants) return find_plants(options);
  Sums sums;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const auto seed = options.from + i;
    const auto outcome = run(seed, options);
    sums.add(outcome);
    if (!outcome.log.empty()) std::fputs(outcome.log.c_str(), stdout);
    for (const auto& violation : outcome.violations) {
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), violation.c_str());
    }
    if (options.log) std::printf("hash %016llx\n", static_cast<unsigned long long>(outcome.hash));
    if (!outcome.violations.empty()) std::fflush(stdout);
    if (options.progress && i % 1000 == 999) sums.print(i + 1, options.from);
  }
  sums.print(options.seeds, options.from);
  return sums.bad == 0 ? 0 : 1;
}
