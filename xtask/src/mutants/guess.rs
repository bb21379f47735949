//! What is guessed of types, which only the compiler knows: from names, and from how things are written.

use syn::{BinOp, Expr, Type};

/// Whether an expression is a `bool`, wherever it is.
pub(super) fn is_bool(expr: &Expr) -> bool {
    match expr {
        Expr::Macro(expr) => expr.mac.path.is_ident("matches"),
        Expr::MethodCall(call) => is_bool_method(&call.method.to_string()),
        _ => false,
    }
}

pub(super) fn is_bool_method(name: &str) -> bool {
    let known = ["any", "all", "contains", "contains_key", "starts_with", "ends_with"];
    name.starts_with("is_") || known.contains(&name)
}

pub(super) fn takes_predicate(name: &str) -> bool {
    let known = [
        "all",
        "any",
        "filter",
        "find",
        "is_err_and",
        "is_none_or",
        "is_ok_and",
        "is_some_and",
        "partition",
        "position",
        "retain",
        "skip_while",
        "take_while",
    ];
    known.contains(&name)
}

pub(super) fn other_method(name: &str) -> Option<&'static str> {
    Some(match name {
        "all" => "any",
        "any" => "all",
        "min" => "max",
        "max" => "min",
        "min_by_key" => "max_by_key",
        "max_by_key" => "min_by_key",
        "saturating_add" => "saturating_sub",
        "saturating_sub" | "saturating_mul" => "saturating_add",
        "checked_add" => "checked_sub",
        "checked_sub" => "checked_add",
        "first" => "last",
        "last" => "first",
        _ => return None,
    })
}

/// A statement that may as well be left out, as far as types are concerned.
pub(super) fn is_skippable(expr: &Expr) -> bool {
    match expr {
        Expr::Call(_) | Expr::MethodCall(_) | Expr::Await(_) | Expr::Try(_) | Expr::Assign(_) => true,
        Expr::Binary(binary) => matches!(
            binary.op,
            BinOp::AddAssign(_)
                | BinOp::SubAssign(_)
                | BinOp::BitOrAssign(_)
                | BinOp::BitAndAssign(_)
                | BinOp::MulAssign(_)
                | BinOp::BitXorAssign(_)
        ),
        _ => false,
    }
}

/// The plain values of a type, as far as its name tells.
pub(super) fn instead_of(result: &Type) -> Vec<&'static str> {
    let Some((name, first)) = named(result) else {
        return Vec::new();
    };
    let inner = first.and_then(named).map(|(name, _)| name);
    let is_unit = matches!(first, Some(Type::Tuple(tuple)) if tuple.elems.is_empty());
    match (name.as_str(), inner.as_deref()) {
        ("bool", _) => vec!["true", "false"],
        ("Option", _) => vec!["None"],
        ("Vec", _) => vec!["Vec::new()"],
        ("Duration", _) => vec!["std::time::Duration::ZERO"],
        ("u8" | "u16" | "u32" | "u64" | "usize" | "i64", _) => vec!["0"],
        ("Result", _) if is_unit => vec!["Ok(())"],
        ("Result", Some("bool")) => vec!["Ok(true)", "Ok(false)"],
        ("Result", Some("Option")) => vec!["Ok(None)"],
        ("Result", Some("Vec")) => vec!["Ok(Vec::new())"],
        _ => Vec::new(),
    }
}

fn named(of: &Type) -> Option<(String, Option<&Type>)> {
    let Type::Path(path) = of else { return None };
    let last = path.path.segments.last()?;
    let first = match &last.arguments {
        syn::PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                syn::GenericArgument::Type(first) => Some(first),
                _ => None,
            })
        }
        _ => None,
    };
    Some((last.ident.to_string(), first))
}

pub(super) fn attributes(expr: &Expr) -> &[syn::Attribute] {
    match expr {
        Expr::Call(e) => &e.attrs,
        Expr::MethodCall(e) => &e.attrs,
        Expr::Await(e) => &e.attrs,
        Expr::Try(e) => &e.attrs,
        Expr::Assign(e) => &e.attrs,
        Expr::Binary(e) => &e.attrs,
        _ => &[],
    }
}

/// Whether only tests are built with it.
pub(super) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && needs_test(&list.tokens.to_string()),
        _ => false,
    })
}

/// `test`, or `all(test, …)`.
fn needs_test(condition: &str) -> bool {
    condition == "test" || condition.starts_with("all") && condition.contains("test ,")
}
