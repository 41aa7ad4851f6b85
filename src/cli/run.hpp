// The command line: what `facteur` understands. command_line.hpp says how it is built.
#pragma once

namespace facteur::cli {

int run(int argc, char** argv);  // The exit code.

}  // namespace facteur::cli
