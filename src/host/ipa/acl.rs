//! CA ACLs: which CA may issue with which certificate profile for whom.

use super::principal::Principal;

/// The certificate profile of a request that names none.
pub(super) const USUAL_PROFILE: &str = "caIPAserviceCert";
/// The CA that issues where none is named.
pub(super) const USUAL_CA: &str = "ipa";

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CaAcl {
    pub(super) name: String,
    pub(super) enabled: bool,
    cas: Scope,
    profiles: Scope,
    services: Scope,
    hosts: Scope,
    /// Whether it names groups of hosts. Their members are not read.
    has_host_groups: bool,
}

/// What a rule covers of a kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Scope {
    all: bool,
    members: Vec<String>,
}

impl Scope {
    fn covers(&self, name: &str) -> bool {
        self.all || self.members.iter().any(|member| without_realm(member).eq_ignore_ascii_case(name))
    }

    fn is_just(&self, name: &str) -> bool {
        !self.all && self.members.len() == 1 && self.covers(name)
    }
}

fn without_realm(name: &str) -> &str {
    name.split('@').next().unwrap_or(name)
}

impl CaAcl {
    /// Reads what `ipa caacl-find` prints: entries with an empty line between them.
    pub(super) fn all(text: &str) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for (label, value) in text.lines().filter_map(|line| line.trim().split_once(": ")) {
            if label == "ACL name" {
                all.push(Self { name: value.to_owned(), ..Self::default() });
                continue;
            }
            let Some(acl) = all.last_mut() else { continue };
            let (scope, is_category) = match label {
                "Host Groups" => {
                    acl.has_host_groups = true;
                    continue;
                }
                "Enabled" => {
                    acl.enabled = value.eq_ignore_ascii_case("true");
                    continue;
                }
                "CAs" => (&mut acl.cas, false),
                "Profiles" => (&mut acl.profiles, false),
                "Services" => (&mut acl.services, false),
                "Hosts" => (&mut acl.hosts, false),
                "CA category" => (&mut acl.cas, true),
                "Profile category" => (&mut acl.profiles, true),
                "Service category" => (&mut acl.services, true),
                "Host category" => (&mut acl.hosts, true),
                _ => continue,
            };
            match is_category {
                true => scope.all = value == "all",
                false => scope.members.extend(value.split(", ").map(|member| member.trim().to_owned())),
            }
        }
        all
    }

    /// Whether it covers the CA. One that names none is for the usual one alone.
    fn covers_ca(&self, ca: &str) -> bool {
        let names_none = !self.cas.all && self.cas.members.is_empty();
        if names_none { ca == USUAL_CA } else { self.cas.covers(ca) }
    }

    /// Who may be in a group that it names counts as covered: what is not known must stop no request.
    fn covers_principal(&self, principal: &Principal) -> bool {
        match principal.is_host() {
            true => self.has_host_groups || self.hosts.covers(principal.host()),
            false => self.services.covers(&principal.to_string()),
        }
    }

    /// Whether it is enabled and lets this principal have a certificate of this CA with this profile.
    fn allows(&self, wanted: &Wanted<'_>, principal: &Principal) -> bool {
        self.enabled && self.covers_all_but(wanted) && self.covers_principal(principal)
    }

    fn covers_all_but(&self, wanted: &Wanted<'_>) -> bool {
        self.covers_ca(wanted.ca) && self.profiles.covers(wanted.profile)
    }

    /// Whether nothing is in it that would not be in a rule for this profile and this CA.
    fn is_begun_for(&self, wanted: &Wanted<'_>) -> bool {
        let fits = |scope: &Scope, name: &str| *scope == Scope::default() || scope.is_just(name);
        fits(&self.profiles, wanted.profile) && fits(&self.cas, wanted.ca)
    }

    /// Whether it is for this profile and this CA and no other ones: a further member opens nothing else.
    fn is_just_for(&self, wanted: &Wanted<'_>) -> bool {
        let names_none = !self.cas.all && self.cas.members.is_empty();
        let ca = if names_none { wanted.ca == USUAL_CA } else { self.cas.is_just(wanted.ca) };
        ca && self.profiles.is_just(wanted.profile)
    }
}

/// A CA and a certificate profile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) ca: &'a str,
    pub(super) profile: &'a str,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(ca: Option<&'a str>, profile: Option<&'a str>) -> Self {
        Self { ca: ca.unwrap_or(USUAL_CA), profile: profile.unwrap_or(USUAL_PROFILE) }
    }

    /// The principals that no rule lets have such a certificate.
    pub(super) fn refused<'p>(&self, acls: &[CaAcl], principals: &'p [Principal]) -> Vec<&'p Principal> {
        let is_allowed = |principal: &Principal| acls.iter().any(|acl| acl.allows(self, principal));
        principals.iter().filter(|principal| !is_allowed(principal)).collect()
    }

    /// A rule that would allow it to one of these, were it not disabled.
    pub(super) fn disabled<'r>(&self, acls: &'r [CaAcl], principals: &[&Principal]) -> Option<&'r CaAcl> {
        acls.iter().find(|acl| {
            let would = || principals.iter().any(|principal| acl.covers_principal(principal));
            !acl.enabled && self.covers(acl) && would()
        })
    }

    fn covers(&self, acl: &CaAcl) -> bool {
        acl.covers_all_but(self)
    }

    /// The commands with which these principals are allowed it, and nothing else is. A rule that is just for this CA and
    /// this profile gets further members; otherwise one is made. A CA is never added to a rule that has none: it would
    /// take the usual one away from the others.
    pub(super) fn commands(&self, acls: &[CaAcl], principals: &[&Principal]) -> Vec<Vec<String>> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
        let mut enabled = acls.iter().filter(|acl| acl.enabled);
        let just = enabled.clone().find(|acl| acl.is_just_for(self));
        // One that was begun is gone on with.
        let just =
            just.or_else(|| enabled.find(|acl| acl.name == self.base_name() && acl.is_begun_for(self)));
        let mut commands = Vec::new();
        let name = just.map_or_else(|| self.free_name(acls), |acl| acl.name.clone());
        if just.is_none() {
            commands.push(words(&["ipa", "caacl-add", &name]));
        }
        if just.is_none_or(|acl| !acl.profiles.covers(self.profile)) {
            let profile = format!("--certprofiles={}", self.profile);
            commands.push(words(&["ipa", "caacl-add-profile", &name, &profile]));
        }
        if just.map_or(self.ca != USUAL_CA, |acl| !acl.covers_ca(self.ca)) {
            commands.push(words(&["ipa", "caacl-add-ca", &name, &format!("--cas={}", self.ca)]));
        }
        let lacks = |principal: &&&Principal| just.is_none_or(|acl| !acl.covers_principal(principal));
        for principal in principals.iter().filter(lacks) {
            commands.push(match principal.is_host() {
                true => words(&["ipa", "caacl-add-host", &name, &format!("--hosts={}", principal.host())]),
                false => words(&["ipa", "caacl-add-service", &name, &format!("--services={principal}")]),
            });
        }
        commands
    }

    fn base_name(&self) -> String {
        match self.ca {
            USUAL_CA => format!("pan_getcert-{}", self.profile),
            ca => format!("pan_getcert-{}-{ca}", self.profile),
        }
    }

    fn free_name(&self, acls: &[CaAcl]) -> String {
        let base = self.base_name();
        let names = (1..).map(|number| if number == 1 { base.clone() } else { format!("{base}-{number}") });
        let is_free = |name: &String| !acls.iter().any(|acl| acl.name.eq_ignore_ascii_case(name));
        names.take(acls.len() + 1).find(is_free).unwrap_or_else(|| base.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "----------------\n2 CA ACLs matched\n----------------\n  ACL name: gateways\n  Enabled: True\n  Profiles: gpServer\n  Services: HTTP/h.ipa.test@IPA.TEST, HTTP/i.ipa.test@IPA.TEST\n\n  ACL name: hosts_services_caIPAserviceCert\n  Enabled: True\n  Host category: all\n  Service category: all\n  Profiles: caIPAserviceCert\n----------------------------\nNumber of entries returned 2\n----------------------------\n";

    fn http(host: &str) -> Principal {
        Principal::new("HTTP", host)
    }

    fn lines(commands: &[Vec<String>]) -> Vec<String> {
        commands.iter().map(|words| words.join(" ")).collect()
    }

    #[test]
    fn who_is_allowed_what_is_read_from_what_is_printed() {
        let acls = CaAcl::all(PRINTED);
        let all = [http("h.ipa.test"), http("x.ipa.test"), Principal::new("host", "h.ipa.test")];
        let refused = |ca, profile| {
            let wanted = Wanted::new(ca, profile);
            wanted.refused(&acls, &all).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(refused(None, None), Vec::<String>::new());
        assert_eq!(refused(None, Some("gpServer")), ["HTTP/x.ipa.test", "host/h.ipa.test"]);
        // No CA named: the usual one, and no other.
        assert_eq!(refused(Some("gateways"), Some("gpServer")).len(), 3);
        assert_eq!(refused(Some("gateways"), None).len(), 3);
    }

    #[test]
    fn a_rule_with_a_group_of_hosts_may_cover_each_host_and_no_service() {
        let acls =
            CaAcl::all(&PRINTED.replace("  Services: HTTP/h", "  Host Groups: gateways\n  Services: HTTP/h"));
        let all = [Principal::new("host", "x.ipa.test"), http("x.ipa.test")];
        let refused = Wanted::new(None, Some("gpServer")).refused(&acls, &all);
        assert_eq!(refused.iter().map(ToString::to_string).collect::<Vec<_>>(), ["HTTP/x.ipa.test"]);
    }

    #[test]
    fn a_ca_that_is_added_takes_the_usual_one_away_as_measured() {
        let acls =
            CaAcl::all(&PRINTED.replace("  Profiles: gpServer", "  CAs: gateways\n  Profiles: gpServer"));
        let all = [http("h.ipa.test")];
        assert!(Wanted::new(Some("gateways"), Some("gpServer")).refused(&acls, &all).is_empty());
        assert_eq!(Wanted::new(None, Some("gpServer")).refused(&acls, &all).len(), 1);
    }

    #[test]
    fn a_disabled_rule_allows_nothing_and_is_named() {
        let acls = CaAcl::all(&PRINTED.replace("Enabled: True", "Enabled: False"));
        let all = [http("h.ipa.test")];
        let wanted = Wanted::new(None, None);
        let refused = wanted.refused(&acls, &all);
        assert_eq!(refused.len(), 1);
        let disabled = wanted.disabled(&acls, &refused).map(|acl| acl.name.as_str());
        assert_eq!(disabled, Some("hosts_services_caIPAserviceCert"));
    }

    #[test]
    fn what_is_missing_is_added_where_it_opens_nothing_else() {
        let acls = CaAcl::all(PRINTED);
        let (x, host) = (http("x.ipa.test"), Principal::new("host", "x.ipa.test"));
        let commands = Wanted::new(None, Some("gpServer")).commands(&acls, &[&x, &host]);
        assert_eq!(
            lines(&commands),
            [
                "ipa caacl-add-service gateways --services=HTTP/x.ipa.test",
                "ipa caacl-add-host gateways --hosts=x.ipa.test"
            ]
        );
        let commands = Wanted::new(Some("gateways"), Some("gpServer")).commands(&acls, &[&x]);
        assert_eq!(
            lines(&commands),
            [
                "ipa caacl-add pan_getcert-gpServer-gateways",
                "ipa caacl-add-profile pan_getcert-gpServer-gateways --certprofiles=gpServer",
                "ipa caacl-add-ca pan_getcert-gpServer-gateways --cas=gateways",
                "ipa caacl-add-service pan_getcert-gpServer-gateways --services=HTTP/x.ipa.test"
            ]
        );
        // A run that broke off is gone on with.
        let begun = CaAcl::all("  ACL name: pan_getcert-other-gw\n  Enabled: True\n  Profiles: other\n");
        let commands = Wanted::new(Some("gw"), Some("other")).commands(&begun, &[&x]);
        assert_eq!(lines(&commands)[0], "ipa caacl-add-ca pan_getcert-other-gw --cas=gw");
        assert_eq!(commands.len(), 2);
        // A name that is taken by another rule is left alone.
        let taken = CaAcl::all("  ACL name: pan_getcert-other\n  Enabled: False\n  Profiles: other\n");
        let commands = Wanted::new(None, Some("other")).commands(&taken, &[&x]);
        assert_eq!(lines(&commands)[0], "ipa caacl-add pan_getcert-other-2");
    }
}
