//! Every dependency says why it is here, is used where it is listed, and respects the layers.

use anyhow::{Context, Result};

use super::Tree;

/// Which of our crates each may depend on: core ← {storage, providers, http} ← the program.
const LAYERS: &[(&str, &[&str])] = &[
    ("countersign-core", &[]),
    ("countersign-storage", &["countersign-core"]),
    ("countersign-providers", &["countersign-core"]),
    ("countersign-http", &["countersign-core"]),
];

pub(super) fn check(tree: &mut Tree) -> Result<()> {
    let workspace = tree.read("Cargo.toml");
    for line in lines_without_reason(&workspace) {
        tree.complain(format!("Cargo.toml: {line} has no comment that says why"));
    }
    let workspace: toml::Table = toml::from_str(&workspace).context("Cargo.toml")?;
    let offered = workspace["workspace"]["dependencies"].as_table().context("workspace.dependencies")?;
    let mut taken = Vec::new();
    for folder in member_folders(tree) {
        let manifest: toml::Table = toml::from_str(&tree.read(format!("{folder}/Cargo.toml")))?;
        let name = manifest["package"]["name"].as_str().unwrap_or_default();
        let source: String = tree
            .files_ending(".rs")
            .iter()
            .filter(|file| file.starts_with(&format!("{folder}/")))
            .map(|file| tree.read(file))
            .collect();
        // A crate may list itself, to have its own test kit in its tests.
        for dependency in dependencies(&manifest).into_iter().filter(|dependency| *dependency != name) {
            let allowed = LAYERS.iter().find(|(layer, _)| *layer == name).map(|(_, below)| *below);
            if dependency.starts_with("countersign")
                && allowed.is_some_and(|below| !below.contains(&dependency))
            {
                tree.complain(format!("{name} must not know {dependency}"));
            }
            if !uses(&source, dependency) {
                tree.complain(format!("{name} lists {dependency} and does not use it"));
            }
            taken.push(dependency.to_owned());
        }
    }
    for dependency in offered.keys().filter(|dependency| !taken.contains(dependency)) {
        tree.complain(format!("Cargo.toml offers {dependency}, which no crate takes"));
    }
    Ok(())
}

fn member_folders(tree: &Tree) -> Vec<String> {
    let manifests = tree.files_ending("/Cargo.toml");
    manifests.iter().filter_map(|file| file.strip_suffix("/Cargo.toml")).map(str::to_owned).collect()
}

fn dependencies(manifest: &toml::Table) -> Vec<&str> {
    ["dependencies", "dev-dependencies", "build-dependencies"]
        .iter()
        .filter_map(|table| manifest.get(*table)?.as_table())
        .flat_map(|table| table.keys().map(String::as_str))
        .collect()
}

/// Whether some line names the crate: `name::`, `use name as`, `use name;`.
fn uses(source: &str, dependency: &str) -> bool {
    let name = dependency.replace('-', "_");
    ["::", " as ", ";"].iter().any(|after| source.contains(&format!("{name}{after}")))
}

/// The dependency lines without a comment; our own crates need none.
fn lines_without_reason(manifest: &str) -> Vec<&str> {
    let section = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    section
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.contains('=') && !line.starts_with('#'))
        .filter(|line| !line.contains("path = ") && !line.contains(" # "))
        .map(|line| line.split('=').next().unwrap_or(line).trim())
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[workspace.dependencies]\nown = { path = \"own\" }\na = \"1\" # because\nb = \"1\"\n[profile]\nc = 1\n";
        assert_eq!(super::lines_without_reason(manifest), ["b"]);
    }
}
